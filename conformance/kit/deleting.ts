/** Deletions behind tests: a busy server is asked again, and one that refuses a deletion is asked for all others. */

/** Attempts at one deletion. */
const ATTEMPTS = 5
/** Seconds before another attempt, unless the server asks for others; and the most that it may ask for. */
const PAUSE = 0.2
const LONGEST_PAUSE = 10

const BUSY: readonly number[] = [429, 502, 503, 504]

/** Seconds that the server asks for. */
function pauseOf(answer: Response | undefined): number {
  const asked = Number(answer?.headers.get('Retry-After') ?? PAUSE)
  return Number.isFinite(asked) ? Math.min(Math.max(asked, PAUSE), LONGEST_PAUSE) : PAUSE
}

/** The outcome of one deletion: a sentence, or nothing when it is done. */
async function failureOf(path: string, send: (path: string) => Promise<Response>): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    let said = ''
    const answer = await send(path).catch((error: unknown) => {
      said = String(error)
      return undefined
    })
    if (answer?.status === 204 || answer?.status === 404) return undefined
    if (answer !== undefined) said = `DELETE was answered with ${answer.status}`
    const mayPass = answer === undefined || BUSY.includes(answer.status)
    if (!mayPass || attempt === ATTEMPTS) return `${path} stays behind: ${said}`
    await new Promise((wait) => setTimeout(wait, pauseOf(answer) * 1000))
  }
}

/**
 * Deletes what is at these paths.
 *
 * @param send one request of the method DELETE
 * @throws Error that names all that stay, when every deletion was tried
 */
export async function deleteAll(paths: Iterable<string>, send: (path: string) => Promise<Response>): Promise<void> {
  const failures: string[] = []
  for (const path of paths) {
    const failure = await failureOf(path, send)
    if (failure !== undefined) failures.push(failure)
  }
  if (failures.length > 0) throw new Error(failures.join('\n'))
}
