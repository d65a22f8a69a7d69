/** Plots as SVG, compared with approved ones: `npx vitest run test/page/plots.test.ts -u` approves what was looked at. */
import type { Plot } from '../../web/src/plots/plot.ts'
import { tracePlot } from '../../web/src/plots/trace.ts'
import { approve } from './approval.ts'
import { traced } from './samples.ts'

const PLOTS: Readonly<Record<string, () => Plot>> = {
  trace: () =>
    tracePlot({
      title: 'Trace of tau',
      label: 'tau',
      chains: traced(4, 200, 50),
      all: [0, 1, 2, 3],
      window: [0, 200],
      brush: { kind: 'interval', start: 100, stop: 130 },
    }),
  'trace of many chains, one to blame': () =>
    tracePlot({
      title: 'Trace of mu',
      label: 'mu',
      chains: traced(12, 100, 0),
      all: [...traced(12, 100, 0).keys()],
      blamed: [3],
      window: [0, 100],
    }),
}

approve(PLOTS)
