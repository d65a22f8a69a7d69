/** An error that is told in one sentence; everything else is a defect and keeps its stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
}
