/** Counts the turns that others have. */

/** Does the work and counts the turns of the event loop meanwhile. */
export async function turnsWhile<T>(work: () => Promise<T>): Promise<{ readonly turns: number; readonly value: T }> {
  let turns = 0
  let isDone = false
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const value = await work()
  isDone = true
  return { turns, value }
}
