/** Names that are free: another one in place of a name that is taken, or that no format has room for. */

/** Underscores that are put behind a name before numbers are: a list of many equal names must not become long ones. */
const UNDERSCORES = 8

export class FreeNames {
  /** Attempts so far, by the name that was wanted: of many equal ones, each costs the same. */
  private readonly attempts = new Map<string, number>()

  /** The name, or it with something behind it, such that it is not taken. */
  find(name: string, isTaken: (name: string) => boolean): string {
    let attempt = this.attempts.get(name) ?? 0
    while (isTaken(attempted(name, attempt))) attempt++
    this.attempts.set(name, attempt)
    return attempted(name, attempt)
  }
}

function attempted(name: string, attempt: number): string {
  return attempt <= UNDERSCORES ? name + '_'.repeat(attempt) : `${name}_${attempt}`
}

/** The name as a part of a path: `/` parts the names of groups, and a path goes nowhere by `.` and `..`. */
export function plainName(name: string): string {
  const plain = name.includes('/') || name.includes('\0') ? name.replaceAll(/[/\0]/g, '_') : name
  return plain === '' || /^\.+$/.test(plain) ? '_' : plain
}
