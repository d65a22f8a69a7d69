/** The runs that the address names, and what they have in common. */
import { computed, signal } from '@preact/signals'
import { ComparedRun } from './compared-run.ts'
import { describedRun } from './described.ts'
import { differencesOf } from './differences.ts'
import { isCommon, joinScalars } from './joined.ts'

/** Milliseconds between two looks. */
const EVERY_MS = 5000
/** Runs that are compared at most. */
export const MOST_RUNS = 8

export class Comparison {
  readonly runs: readonly ComparedRun[]
  /** True when each run has been looked at. */
  readonly isOpen = signal(false)
  readonly names = computed(() =>
    namesOf(
      this.runs.map(({ rid, about }) => about.value?.name ?? rid),
      this.runs,
    ),
  )
  readonly joined = computed(() => joinScalars(this.runs.map(({ summary }) => summary.value?.rows)))
  readonly common = computed(() => this.joined.value.filter(isCommon))
  readonly differences = computed(() =>
    differencesOf(
      this.runs.map(({ schema, about }) =>
        schema.value === undefined || about.value === undefined ? undefined : describedRun(schema.value, about.value),
      ),
    ),
  )
  private timer: ReturnType<typeof setTimeout> | undefined
  private isClosed = false

  constructor(rids: readonly string[]) {
    this.runs = [...new Set(rids)].slice(0, MOST_RUNS).map((rid) => new ComparedRun(rid))
    void this.follow()
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    for (const run of this.runs) run.close()
  }

  private async follow(): Promise<void> {
    if (document.visibilityState === 'visible' || !this.isOpen.peek()) {
      await Promise.all(this.runs.map((run) => run.refresh()))
      this.isOpen.value = true
    }
    if (!this.isClosed) this.timer = setTimeout(() => void this.follow(), EVERY_MS)
  }
}

/** Names that tell runs apart: with the rid where several have the same. */
function namesOf(names: readonly string[], runs: readonly ComparedRun[]): readonly string[] {
  return names.map((name, i) => {
    const isUnique = names.indexOf(name) === names.lastIndexOf(name)
    return isUnique ? name : `${name} (${runs[i]?.rid ?? ''})`
  })
}
