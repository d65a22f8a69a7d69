/** Versions of tables: they must be known here. */

/** Milliseconds since 1970 at which each migration was written: they are told apart by that. */
export function newestUnknown(applied: readonly number[], known: readonly number[]): Date | undefined {
  const unknown = applied.filter((when) => !known.includes(when))
  return unknown.length === 0 ? undefined : new Date(Math.max(...unknown))
}
