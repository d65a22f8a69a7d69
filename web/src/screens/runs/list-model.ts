/** The list as the screen shows it: lines of the question that the address asks, its rows, and what was chosen of them. */
import { computed, effect, signal, untracked } from '@preact/signals'
import type { About, RunLine } from '../../api/shapes.ts'
import { go, place } from '../../app/navigate.ts'
import { Closer } from './closer.ts'
import { RunFeed } from './feed.ts'
import { FIRST_LIST, type ListView, listQueryOf, listViewOf, serverQuery } from './list-view.ts'
import { countsOf, type Row, rowsOf } from './rows.ts'

/** Milliseconds for which letters of a search are gathered. */
const DEBOUNCE_MS = 250
/** Runs that are compared at most. */
export const MOST_CHOSEN = 8

export class ListModel {
  readonly view = computed((): ListView => {
    const at = place.value
    return at.screen === 'runs' ? listViewOf(at.query) : FIRST_LIST
  })
  /** Runs to be compared, in the order in which they were chosen. */
  readonly chosen = signal<readonly string[]>([])
  /** The run that the keyboard is at. */
  readonly current = signal<string | undefined>(undefined)
  /** Lines on the screen. */
  visible: () => readonly RunLine[] = () => []
  private readonly question = computed(() => JSON.stringify(serverQuery(this.view.value)))
  private readonly shown = signal(new RunFeed(serverQuery(this.view.peek())))
  private asked = this.question.peek()
  private next: { readonly feed: RunFeed; readonly stop: () => void } | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly stop: () => void
  readonly closer = new Closer(() => this.visible(), {
    onAbout: (about) => this.feed.value.put(about, 'asked'),
    onGone: (rid) => this.feed.value.drop(rid),
  })

  /** Lines of the present question, or of the one before until there are some. */
  readonly feed = computed(() => this.shown.value)
  readonly lines = computed((): readonly RunLine[] => {
    void this.feed.value.moment.value
    return this.feed.value.lines.values()
  })
  readonly counts = computed(() => countsOf(this.lines.value))
  readonly rows = computed((): readonly Row[] => {
    const { paces } = this.feed.value
    return rowsOf(this.lines.value, this.view.value, (rid) => paces.of(rid))
  })

  constructor() {
    this.stop = effect(() => {
      const question = this.question.value
      untracked(() => this.want(question))
    })
  }

  close(): void {
    this.stop()
    clearTimeout(this.timer)
    this.leaveNext()
    this.closer.close()
    this.shown.peek().close()
  }

  /** Changes what the address names. */
  change(change: Partial<ListView>): void {
    go({ screen: 'runs', query: listQueryOf({ ...this.view.peek(), ...change }) }, 'replace')
  }

  withTag(tag: string): void {
    const { tags } = this.view.peek()
    if (!tags.includes(tag)) this.change({ tags: [...tags, tag] })
  }

  /** Chooses a run to be compared, or lets it go. */
  toggle(rid: string): void {
    const chosen = this.chosen.peek()
    if (chosen.includes(rid)) this.chosen.value = chosen.filter((each) => each !== rid)
    else if (chosen.length < MOST_CHOSEN) this.chosen.value = [...chosen, rid]
  }

  /** Takes what this page has changed of a run. */
  readonly changed = (about: About): void => this.feed.peek().put(about, 'changed')

  drop(rid: string): void {
    this.feed.peek().drop(rid)
    this.chosen.value = this.chosen.peek().filter((each) => each !== rid)
  }

  private want(question: string): void {
    clearTimeout(this.timer)
    if (question === this.asked) return
    this.timer = setTimeout(() => {
      this.asked = question
      this.leaveNext()
      const feed = new RunFeed(serverQuery(this.view.peek()))
      const stop = effect(() => {
        const isThere = feed.moment.value > 0 || feed.isComplete.value || feed.trouble.value !== undefined
        if (isThere) untracked(() => this.take(feed))
      })
      if (this.shown.peek() === feed) stop()
      else this.next = { feed, stop }
    }, DEBOUNCE_MS)
  }

  private take(feed: RunFeed): void {
    const before = this.shown.peek()
    if (before === feed) return
    this.next?.stop()
    this.next = undefined
    this.shown.value = feed
    before.close()
  }

  private leaveNext(): void {
    this.next?.stop()
    this.next?.feed.close()
    this.next = undefined
  }
}
