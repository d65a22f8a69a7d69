/**
 * A disk in memory that fails as a seed says: short writes, errors, a full disk, syncs that fail, and power cuts.
 *
 * Operations that are under way together happen in an order that the seed draws, one in each turn of the event loop. When its
 * power is gone nothing happens any more, and promises that wait are never settled, as in a process that is dead;
 * `powerCut` or `killProcess` then gives the disk that the next process finds.
 *
 * @example
 * const disk = new FaultyDisk({ seed: 7, folders: ['/data'] })
 * disk.faults.plan({ operation: 'sync', path: 'journal', after: 3 })
 * disk.power.cutAfter(100)
 * await Promise.race([work(disk), disk.power.gone])
 * const after = disk.powerCut()
 */
import { posix } from 'node:path'
import type { Access, Disk, DiskFile } from '../../src/objects/disk.ts'
import { Content } from './content.ts'
import { diskError, Faults } from './faults.ts'
import { FaultyFile, type Machine } from './faulty-file.ts'
import { Folders } from './folders.ts'
import { Power } from './power.ts'
import { Random } from './random.ts'
import { type Ending, Turns } from './turns.ts'

export interface FaultyDiskOptions {
  readonly seed: number
  /** Folders that are there from the beginning. */
  readonly folders?: readonly string[]
  /** Bytes that all files together may have; unlimited when absent. */
  readonly room?: number
  /** Told of each operation, in one line. */
  readonly trace?: (line: string) => void
}

export class FaultyDisk implements Disk {
  readonly power = new Power()
  readonly faults: Faults
  /** Bytes that all files together may have. */
  room: number
  private readonly random: Random
  private readonly folders: Folders
  private readonly trace: ((line: string) => void) | undefined
  private readonly turns: Turns
  private readonly machine: Machine

  constructor({ seed, folders = [], room, trace }: FaultyDiskOptions, names?: Folders) {
    this.random = new Random(seed)
    this.faults = new Faults(this.random)
    this.room = room ?? Number.POSITIVE_INFINITY
    this.trace = trace
    this.machine = {
      random: this.random,
      faults: this.faults,
      spare: () => Math.max(0, this.room - this.used()),
      do: (job, act) => this.turns.do(job, act),
    }
    this.turns = new Turns(this.random, this.faults, this.power, trace)
    this.folders = names ?? new Folders(folders.map((folder) => [folder, 'folder']))
  }

  open(path: string, access: Access): Promise<DiskFile> {
    const at = posix.normalize(path)
    const open = () => {
      const entry = this.folders.get(at)
      if (entry === 'folder') throw diskError('EISDIR', 'open', at)
      return new FaultyFile(this.machine, at, entry ?? this.create(at, access), access)
    }
    return this.turns.do({ operation: 'open', path: at, detail: access, end: () => this.mayBeDone(open) }, open)
  }

  private create(path: string, access: Access): Content {
    if (access === 'read' || this.folders.get(posix.dirname(path)) !== 'folder') throw diskError('ENOENT', 'open', path)
    const content = new Content()
    this.folders.set(path, content)
    return content
  }

  remove(path: string): Promise<void> {
    const at = posix.normalize(path)
    const remove = () => {
      if (this.folders.get(at) === 'folder') throw diskError('EISDIR', 'remove', at)
      if (this.folders.get(at) !== undefined) this.folders.set(at, undefined)
    }
    return this.turns.do({ operation: 'remove', path: at, end: () => this.mayBeDone(remove) }, remove)
  }

  list(folder: string): Promise<readonly string[]> {
    const at = posix.normalize(folder)
    return this.turns.do({ operation: 'list', path: at }, () =>
      this.random.shuffle(this.folders.in(at).map((path) => posix.basename(path))),
    )
  }

  makeFolder(folder: string): Promise<void> {
    const at = posix.normalize(folder)
    const make = () => {
      for (const path of pathsTo(at)) {
        const entry = this.folders.get(path)
        if (entry !== undefined && entry !== 'folder') throw diskError('ENOTDIR', 'makeFolder', at)
        if (entry === undefined) this.folders.set(path, 'folder')
      }
    }
    return this.turns.do({ operation: 'makeFolder', path: at, end: () => this.mayBeDone(make) }, make)
  }

  syncFolder(folder: string): Promise<void> {
    const at = posix.normalize(folder)
    return this.turns.do({ operation: 'syncFolder', path: at }, () => {
      if (this.folders.get(at) !== 'folder') throw diskError('ENOENT', 'syncFolder', at)
      this.folders.sync(at)
    })
  }

  /** The disk as the next process finds it after a power cut. This one stands still. */
  powerCut(): FaultyDisk {
    this.end('cut')
    const contents = new Map<Content, Content>()
    const names = new Folders()
    for (const [path, entry] of this.folders.cut(this.random)) {
      if (entry === 'folder') names.place(path, entry)
      else {
        const content = contents.get(entry) ?? entry.cut(this.random)
        contents.set(entry, content)
        names.place(path, content)
      }
    }
    return this.next(names)
  }

  /** The disk as the next process finds it after this one was killed: the system has all that was written. This one stands still. */
  killProcess(): FaultyDisk {
    this.end('kill')
    return this.next(this.folders)
  }

  private end(ending: Ending): void {
    this.power.cutAfter(0)
    this.turns.end(ending)
  }

  private next(names: Folders): FaultyDisk {
    const trace = this.trace === undefined ? {} : { trace: this.trace }
    return new FaultyDisk({ seed: this.random.next(), room: this.room, ...trace }, names)
  }

  /** Paths of all files. */
  files(): string[] {
    return this.folders.all().flatMap(([path, entry]) => (entry === 'folder' ? [] : [path]))
  }

  /** The bytes of a file as readers see them; a copy. */
  bytesOf(path: string): Uint8Array {
    return this.contentOf(path).bytes.slice()
  }

  /** Turns one bit of a file over. */
  flipBit(path: string, bit: number): void {
    this.contentOf(path).flip(bit)
  }

  private contentOf(path: string): Content {
    const entry = this.folders.get(posix.normalize(path))
    if (!(entry instanceof Content)) throw diskError('ENOENT', 'look', path)
    return entry
  }

  /** Bytes of all files together. */
  used(): number {
    return this.folders.all().reduce((sum, [, entry]) => sum + (entry === 'folder' ? 0 : entry.size), 0)
  }

  /** Does something that was under way at the end, or does it not. */
  private mayBeDone(act: () => unknown): void {
    if (this.random.chance(0.5)) return
    try {
      act()
    } catch {
      // It had failed.
    }
  }
}

/** A folder and those above it, the highest first. */
function pathsTo(folder: string): string[] {
  const above = posix.dirname(folder)
  return above === folder ? [] : [...pathsTo(above), folder]
}
