/** Work that goes on behind an answer. */
import type { AppContext } from './context.ts'

/** Lets a platform that would end with the answer wait for work; elsewhere it goes on by itself. Its failure is nobody's. */
export function afterwards(c: AppContext, work: Promise<unknown>): void {
  const settled = work.catch(() => undefined)
  if (hasExecution(c)) c.executionCtx.waitUntil(settled)
}

function hasExecution(c: AppContext): boolean {
  try {
    return c.executionCtx !== undefined
  } catch {
    return false
  }
}
