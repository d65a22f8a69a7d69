/** Stopping, also of parts that do not end by themselves. */

export interface Ending {
  readonly name: string
  readonly end: () => Promise<void>
  /** Milliseconds that it may take. */
  readonly ms: number
}

/** Ends one thing after the other. Resolves to a text about those that did not, with reasons, if there are any. */
export async function endInTurn(endings: readonly Ending[]): Promise<string | undefined> {
  const left: string[] = []
  for (const { name, end, ms } of endings) {
    const why = await within(ms, end)
    if (why !== undefined) left.push(`${name} did not end (${why})`)
  }
  return left.length === 0 ? undefined : left.join(', ')
}

async function within(ms: number, end: () => Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, ms, `not within ${ms / 1000} s`)
  })
  const ended = async () => {
    try {
      await end()
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  const why = await Promise.race([ended(), late])
  clearTimeout(timer)
  return why
}
