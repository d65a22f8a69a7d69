/** All statistics of a scalar, by the names that the cases of both packages give them. */
import type { Statistic } from '../../src/core/diagnostics/convention.ts'
import { bfmi } from '../../src/core/diagnostics/energy.ts'
import { essBulk, essIdentity, essLocal, essMean, essQuantile, essSd, essTail } from '../../src/core/diagnostics/ess.ts'
import { mcseMean, mcseQuantile, mcseSd } from '../../src/core/diagnostics/mcse.ts'
import { paretoKhat } from '../../src/core/diagnostics/pareto.ts'
import { eti, hdi, mad, mean, median, quantile, sd } from '../../src/core/diagnostics/quantiles.ts'
import { rhat, rhatFolded, rhatIdentity, rhatNested, rhatSplit, rhatZ } from '../../src/core/diagnostics/rhat.ts'
import type { Scalar } from '../../src/core/diagnostics/scalar.ts'

export const STATISTICS: Readonly<Record<string, (scalar: Scalar) => Statistic>> = {
  rhat,
  rhat_split: rhatSplit,
  rhat_id: rhatIdentity,
  rhat_folded: rhatFolded,
  rhat_z: rhatZ,
  rhat_nested: (scalar) =>
    rhatNested(
      scalar,
      Array.from({ length: scalar.chains }, (_, chain) => chain >> 1),
    ),
  ess_bulk: essBulk,
  ess_tail: (scalar) => essTail(scalar, [0.05, 0.95]),
  ess_tail_11_89: (scalar) => essTail(scalar, [1 - 0.89, 0.89]),
  ess_mean: essMean,
  ess_sd: essSd,
  ess_median: (scalar) => essQuantile(scalar, 0.5),
  ess_id: essIdentity,
  ess_q10: (scalar) => essQuantile(scalar, 0.1),
  mcse_mean: mcseMean,
  mcse_sd: mcseSd,
  mcse_median: (scalar) => mcseQuantile(scalar, 0.5),
  mcse_q05: (scalar) => mcseQuantile(scalar, 0.05),
  mcse_q95: (scalar) => mcseQuantile(scalar, 0.95),
  khat: (scalar) => paretoKhat(scalar),
  khat_right: (scalar) => paretoKhat(scalar, 'right'),
  khat_left: (scalar) => paretoKhat(scalar, 'left'),
  ess_local: (scalar) => essLocal(scalar, 0.2, 0.4),
  q05: (scalar) => quantile(scalar, 0.05),
  q95: (scalar) => quantile(scalar, 0.95),
  mean,
  sd,
  median,
  mad,
  hdi94_lb: (scalar) => hdi(scalar, 0.94)[0],
  hdi94_ub: (scalar) => hdi(scalar, 0.94)[1],
  eti89_lb: (scalar) => eti(scalar, 0.89)[0],
  eti89_ub: (scalar) => eti(scalar, 0.89)[1],
  bfmi_chain0: ({ values, draws, convention }) => bfmi(values.subarray(0, draws), convention),
}
