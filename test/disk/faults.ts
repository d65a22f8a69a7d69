/** Failures of a disk: how often each comes by chance, and those that are planned. */
import type { Random } from './random.ts'

export type Operation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close'
  | 'remove'
  | 'list'
  | 'makeFolder'
  | 'syncFolder'

/** Probabilities of failures, each 0 where it is absent. */
export interface Chances {
  /** Fewer bytes are taken than were given. */
  readonly shortWrite?: number
  /** Fewer bytes are read than there are. */
  readonly shortRead?: number
  /** An operation fails with EIO. */
  readonly fail?: Partial<Readonly<Record<Operation, number>>>
}

/** A failure that is wanted at one place. */
export interface Planned {
  readonly operation: Operation
  /** A part of the path of the file or folder; any when absent. */
  readonly path?: string
  /** Operations of this kind that are let through before; none when absent. */
  readonly after?: number
  /** The code of the error; EIO when absent. */
  readonly code?: string
}

export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} "${path}"`), { code, syscall: operation, path })
}

/** Decides which operation fails. */
export class Faults {
  chances: Chances = {}
  private readonly random: Random
  private planned: { plan: Planned; left: number }[] = []

  constructor(random: Random) {
    this.random = random
  }

  plan(plan: Planned): void {
    this.planned.push({ plan, left: plan.after ?? 0 })
  }

  /** The error with which an operation fails; undefined when it goes well. */
  next(operation: Operation, path: string): Error | undefined {
    const due = this.planned.find(
      ({ plan }) => plan.operation === operation && (plan.path === undefined || path.includes(plan.path)),
    )
    if (due !== undefined && due.left-- === 0) {
      this.planned = this.planned.filter((each) => each !== due)
      return diskError(due.plan.code ?? 'EIO', operation, path)
    }
    const chance = this.chances.fail?.[operation]
    return this.happens(chance) ? diskError('EIO', operation, path) : undefined
  }

  /** Bytes of so many that one call moves. */
  moved(operation: 'read' | 'write', bytes: number): number {
    const chance = operation === 'read' ? this.chances.shortRead : this.chances.shortWrite
    return bytes > 1 && this.happens(chance) ? this.random.between(1, bytes - 1) : bytes
  }

  private happens(chance: number | undefined): boolean {
    return chance !== undefined && chance > 0 && this.random.chance(chance)
  }
}
