/** Tests that not every machine or backend can run, and that say why where they do not. */
import { type TestFunction, type TestOptions, test } from 'vitest'

/** `test`, or, if there is a reason against it, a test that is skipped with this reason in the report. */
export function testUnless(reason: string | undefined) {
  return (name: string, run: TestFunction, options: TestOptions = {}): void => {
    if (reason === undefined) test(name, options, run)
    else test(name, ({ skip }) => skip(reason))
  }
}

/** Reason to skip tests that look into /proc. */
export const NOT_ON_LINUX =
  process.platform === 'linux' ? undefined : 'what it looks at is in /proc, which Linux alone has'
