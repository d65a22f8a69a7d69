/** All screens of a run and around it, for tests that hold of every one. */
import type { Page } from 'playwright-core'

export const TABS = ['overview', 'variables', 'sampler', 'pairs', 'posterior', 'data'] as const

export interface Screen {
  readonly name: string
  /** Behind the server's address. */
  readonly at: string
}

export const SCREENS: readonly Screen[] = [
  { name: 'runs', at: '/ui/' },
  ...TABS.map((tab) => ({ name: tab, at: `/ui/runs/schools?tab=${tab}` })),
  { name: 'variable', at: '/ui/runs/schools?tab=variables&sel=tau' },
  { name: 'compare', at: '/ui/compare?runs=schools,fine' },
]

/** Waits until the screen shows what it has to show. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole('main').waitFor()
  await page.waitForFunction(
    () =>
      !/^$|Loading …|Reading draws|Opening the run|Asking the server/.test(
        document.querySelector('main')?.textContent ?? 'Asking the server',
      ),
    undefined,
    { timeout: 30_000 },
  )
  await page.waitForTimeout(300)
}
