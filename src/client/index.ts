/// <reference lib="esnext.disposable" preserve="true" />
/** The client SDK: McBackend's Backend, Run and Chain on a server, with nothing but `fetch`. */

export type { About, AboutPatch, RunState } from '../core/about.ts'
export type { Check, CheckName, NamedValue, RunChecks, Status } from '../core/diagnostics/checks/check.ts'
export type { RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
export type { Trace, TracedChain, TracedElement, TraceQuestion } from '../core/diagnostics/traced.ts'
export type { Elements } from '../core/draws/elements.ts'
export { decodeNdArray, encodeNdArray, type LabelArray, type NdArray } from '../core/draws/ndarray.ts'
export type { Slice } from '../core/draws/slice.ts'
export { type ErrorCode, type ErrorFields, isMcbError, McbError } from '../core/errors.ts'
export type { RunFilter } from '../core/finding.ts'
export type {
  AboutOptions,
  Backend,
  Chain,
  DrawBatch,
  Draws,
  Run,
  RunAbout,
  RunPage,
  RunQuery,
  RunSummary,
  Value,
  Values,
} from '../core/interfaces.ts'
export type { JsonObject, JsonValue } from '../core/json.ts'
export type { CheckOptions } from '../core/summary/check-options.ts'
export { examine, summarise } from '../core/summary/of-run.ts'
export type { SummaryOptions, SummarySelection } from '../core/summary/options.ts'
export type { Summary, SummaryRow } from '../core/summary/summary.ts'
export type { RunMeta } from '../core/wire/run-meta.ts'
export { HttpBackend } from './backend.ts'
export { HttpChain } from './chain.ts'
export type { HttpCheckOptions } from './checks.ts'
export type { Fetch, FlushOptions, HttpBackendOptions, RetryOptions } from './options.ts'
export { HttpRun } from './run.ts'
export type { HttpSummaryOptions } from './summary.ts'
export type { ChainGrowth, WatchOptions } from './watch.ts'
