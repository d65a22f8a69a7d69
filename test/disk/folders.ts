/**
 * Names of files and folders, as processes see them and as they are on the disk: a name that was made or removed is there
 * for certain, or gone for certain, when its folder was synced. At a power cut each of the others is as it was at some moment.
 */
import { posix } from 'node:path'
import type { Content } from './content.ts'
import type { Random } from './random.ts'

/** A file, or a folder. */
export type Entry = Content | 'folder'

interface Name {
  /** The file or folder as processes see it; undefined when it was removed. */
  seen: Entry | undefined
  /** The same as it is on the disk, and all that it became since: the last is `seen`. */
  states: (Entry | undefined)[]
}

export class Folders {
  private readonly names = new Map<string, Name>()

  constructor(entries: Iterable<readonly [string, Entry]> = []) {
    for (const [path, entry] of entries) this.place(path, entry)
  }

  /** Puts a file or folder on the disk, where it has been all the time. */
  place(path: string, entry: Entry): void {
    this.names.set(path, { seen: entry, states: [entry] })
  }

  get(path: string): Entry | undefined {
    return path === '/' ? 'folder' : this.names.get(path)?.seen
  }

  /** Gives a name to a file or folder, or takes it away. */
  set(path: string, entry: Entry | undefined): void {
    const name = this.names.get(path) ?? { seen: undefined, states: [undefined] }
    name.seen = entry
    name.states.push(entry)
    this.names.set(path, name)
  }

  /** Paths in a folder. */
  in(folder: string): string[] {
    return this.all()
      .map(([path]) => path)
      .filter((path) => posix.dirname(path) === folder)
  }

  /** All files and folders. */
  all(): [string, Entry][] {
    return [...this.names].flatMap(([path, { seen }]): [string, Entry][] => (seen === undefined ? [] : [[path, seen]]))
  }

  sync(folder: string): void {
    for (const [path, name] of this.names) if (posix.dirname(path) === folder) name.states = [name.seen]
  }

  /** The names that are on the disk after a power cut: those whose folders are there as well. */
  cut(random: Random): [string, Entry][] {
    const left = new Map<string, Entry>()
    for (const [path, { states }] of this.names) {
      const entry = states[random.below(states.length)]
      if (entry !== undefined) left.set(path, entry)
    }
    const isThere = (path: string): boolean => path === '/' || (left.has(path) && isThere(posix.dirname(path)))
    return [...left].filter(([path]) => isThere(path))
  }
}
