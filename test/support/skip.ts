/** Tests that not every machine or backend can run, and that say why where they do not. */
import { type TestFunction, type TestOptions, test } from 'vitest'

/** `test` where there is no reason against it; where there is one, the report of a run shows it. */
export function testUnless(reason: string | undefined) {
  return (name: string, run: TestFunction, options: TestOptions = {}): void => {
    if (reason === undefined) test(name, options, run)
    else test(name, ({ skip }) => skip(reason))
  }
}

/** Where tests look into /proc. */
export const NOT_ON_LINUX =
  process.platform === 'linux' ? undefined : 'what it looks at is in /proc, which Linux alone has'
