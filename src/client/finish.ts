/** Several ends at once. */

/** Waits for all, also when one fails, and then throws the first one's error. */
export async function finishAll<T>(items: readonly T[], finish: (item: T) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(items.map(finish))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
