/** The client SDK: McBackend's Backend, Run and Chain on a server, with nothing but `fetch`. */
export { type ErrorCode, type ErrorFields, McbError } from '../core/errors.ts'
export type {
  Backend,
  Chain,
  DrawBatch,
  Draws,
  Run,
  RunPage,
  RunSummary,
  Value,
  Values,
} from '../core/interfaces.ts'
export type { RunMeta } from '../core/meta.ts'
export { decodeNdArray, encodeNdArray, type LabelArray, type NdArray } from '../core/ndarray.ts'
export type { Slice } from '../core/slice.ts'
export { HttpBackend } from './backend.ts'
export { HttpChain } from './chain.ts'
export type { Fetch, FlushOptions, HttpBackendOptions, RetryOptions } from './options.ts'
export { HttpRun } from './run.ts'
export type { ChainGrowth, WatchOptions } from './watch.ts'
