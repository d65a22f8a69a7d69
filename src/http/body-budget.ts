/** The memory that bodies of requests may take together, from their first byte until the request is answered. */
import { McbError } from '../core/errors.ts'

/** Bytes at most. */
export interface BudgetLimits {
  /** Bytes of all bodies. */
  readonly all: number
  /** Bytes of one tenant's bodies. */
  readonly tenant: number
}

/** The pace of a body that keeps its memory while others wait for it. */
export interface BudgetPace {
  /** Bytes that come of it between two looks, at least. */
  readonly slowBytes: number
  /** Milliseconds between two looks, at least. */
  readonly slowMs: number
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

const PACE: BudgetPace = { slowBytes: 64 * 1024, slowMs: 10_000, now: () => performance.now() }

/** The part of a budget, one in so many, of which bodies may take more than they need at once. */
const ROOMY = 4

/** Seconds after which a body that was refused may find room. */
const RETRY_AFTER = 1

/**
 * Counts bytes that are allocated, not those that are announced. When a body grows beyond the budget, the youngest of those
 * that still arrive yields, be it this one or another: the oldest always comes to its end, and makes room. So that this is
 * soon, those that only trickle yield before all others, the oldest first; while there is room, nobody looks at them.
 */
export class BodyBudget {
  private readonly limits: BudgetLimits
  private used = 0
  private readonly usedBy = new Map<string, number>()
  /** Bodies that may still be cut, the oldest first. */
  private readonly arriving = new Set<BodyHold>()
  private readonly pace: BudgetPace

  constructor(limits: BudgetLimits, pace: Partial<BudgetPace> = {}) {
    this.limits = limits
    this.pace = { ...PACE, ...pace }
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.used
  }

  /** Bodies that are arriving now. */
  get bodies(): number {
    return this.arriving.size
  }

  /**
   * Begins to count a body. One that is announced as larger than the space that is left, also without those that
   * trickle, is the youngest, and is refused at once.
   *
   * @param tenant owner of another budget that it counts against; undefined where there is one tenant alone
   * @param announced bytes, 0 when they are not known
   * @throws McbError `overloaded`, `payload_too_large` for one that would be too large for an empty budget
   */
  open(tenant: string | undefined, announced: number): BodyHold {
    this.requirePossible(tenant, announced)
    const least = Math.max(1, announced)
    this.cutSlow(undefined, tenant, least)
    if (this.missing(tenant, least) !== undefined) throw overloaded()
    const hold: BodyHold = new BodyHold(
      (bytes) => this.resize(hold, tenant, bytes),
      () => this.arriving.delete(hold),
      (bytes) => this.isRoomyFor(tenant, bytes - hold.bytes),
    )
    hold.tenant = tenant
    this.arriving.add(hold)
    return hold
  }

  private resize(hold: BodyHold, tenant: string | undefined, bytes: number): void {
    const more = bytes - hold.bytes
    if (more > 0) {
      this.requirePossible(tenant, bytes)
      this.cutSlow(hold, tenant, more)
      for (let missing = this.missing(tenant, more); missing !== undefined; missing = this.missing(tenant, more)) {
        const youngest = this.youngest(hold, missing === 'tenant' ? tenant : undefined)
        if (youngest === hold) throw overloaded()
        youngest.cut(overloaded())
      }
    }
    this.used += more
    hold.bytes = bytes
    if (tenant === undefined) return
    const used = (this.usedBy.get(tenant) ?? 0) + more
    if (used > 0) this.usedBy.set(tenant, used)
    else this.usedBy.delete(tenant)
  }

  /** Refuses a body that is larger than the whole budget for good: no retry would help it. */
  private requirePossible(tenant: string | undefined, bytes: number): void {
    const limit = tenant === undefined ? this.limits.all : Math.min(this.limits.all, this.limits.tenant)
    if (bytes <= limit) return
    throw new McbError('payload_too_large', `the body takes more than the ${limit} bytes that bodies may take here`, {
      limit,
    })
  }

  private isRoomyFor(tenant: string | undefined, more: number): boolean {
    const used = tenant === undefined ? 0 : (this.usedBy.get(tenant) ?? 0)
    return this.used + more <= this.limits.all / ROOMY && used + more <= this.limits.tenant / ROOMY
  }

  /** The budget that has no room for so many bytes more. */
  private missing(tenant: string | undefined, more: number): 'tenant' | 'all' | undefined {
    if (tenant !== undefined && (this.usedBy.get(tenant) ?? 0) + more > this.limits.tenant) return 'tenant'
    return this.used + more > this.limits.all ? 'all' : undefined
  }

  /**
   * Makes room for so many bytes more: looks at the bodies that arrive, and cuts as many of those that trickle as it needs.
   * It looks at all of them, so that each has its time from the first look on that found no room.
   */
  private cutSlow(asking: BodyHold | undefined, tenant: string | undefined, more: number): void {
    if (this.missing(tenant, more) === undefined) return
    const now = this.pace.now()
    for (const hold of this.arriving) {
      if (hold === asking || hold.bytes === 0 || !hold.isSlow(now, this.pace)) continue
      const missing = this.missing(tenant, more)
      if (missing === 'all' || (missing === 'tenant' && hold.tenant === tenant)) hold.cut(overloaded())
    }
  }

  /** The last one that came, of those that hold something, and of `hold` itself. */
  private youngest(hold: BodyHold, tenant: string | undefined): BodyHold {
    let youngest = hold
    let isBehind = false
    for (const other of this.arriving) {
      if (other === hold) isBehind = true
      else if (isBehind && other.bytes > 0 && (tenant === undefined || other.tenant === tenant)) youngest = other
    }
    return youngest
  }
}

/** One body's part of a budget. */
export class BodyHold {
  /** Bytes that are counted. */
  bytes = 0
  tenant: string | undefined
  /** Told when the body is cut, so that its memory goes at once. */
  onCut: ((reason: McbError) => void) | undefined
  private reason: McbError | undefined
  /** Bytes of it that have come, and how it was at the last look that could have cut it. */
  private received = 0
  private seen: { readonly received: number; readonly at: number } | undefined
  private readonly resize: (bytes: number) => void
  private readonly leave: () => void
  private readonly look: (bytes: number) => boolean

  constructor(resize: (bytes: number) => void, leave: () => void, look: (bytes: number) => boolean) {
    this.resize = resize
    this.leave = leave
    this.look = look
  }

  /** True when most of the budget stays free even if the body takes so many bytes: more than it needs now, but soon will. */
  isRoomyFor(bytes: number): boolean {
    return this.look(bytes)
  }

  /**
   * Says how many bytes the body takes now; before they are allocated, and after they are freed.
   *
   * @throws McbError `overloaded`, `payload_too_large`
   */
  take(bytes: number): void {
    if (this.reason !== undefined) throw this.reason
    this.resize(bytes)
  }

  /** Counts so many more bytes of the body that have come. */
  arrived(bytes: number): void {
    this.received += bytes
  }

  /** True when too little has come since an earlier look that is long enough ago; a look that it stands begins anew. */
  isSlow(now: number, { slowBytes, slowMs }: BudgetPace): boolean {
    const { received, seen } = this
    if (seen !== undefined && now - seen.at < slowMs) return false
    if (seen !== undefined && received - seen.received < slowBytes) return true
    this.seen = { received, at: now }
    return false
  }

  /** The body has come whole: it is not cut any more. */
  settle(): void {
    if (this.reason !== undefined) throw this.reason
    this.onCut = undefined
    this.leave()
  }

  /** Gives everything back: the request is answered. */
  release(): void {
    this.onCut = undefined
    this.leave()
    if (this.bytes > 0) this.resize(0)
  }

  cut(reason: McbError): void {
    const { onCut } = this
    this.reason = reason
    this.release()
    onCut?.(reason)
  }
}

function overloaded(): McbError {
  const detail = 'the bodies that the server is receiving take all the memory that it has for them; send this one again'
  return new McbError('overloaded', detail, { retryAfter: RETRY_AFTER })
}
