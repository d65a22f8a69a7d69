/** A file of the faulty disk, as one process has opened it. */
import type { Access, DiskFile } from '../../src/objects/disk.ts'
import type { Content } from './content.ts'
import { diskError, type Faults, type Operation } from './faults.ts'
import type { Random } from './random.ts'
import type { Ending, Turns } from './turns.ts'

/** Pieces that one write takes. https://man7.org/linux/man-pages/man2/writev.2.html */
const MOST_PIECES = 1024

/** The disk as its files need it. */
export interface Machine extends Pick<Turns, 'do'> {
  readonly random: Random
  readonly faults: Faults
  /** Bytes that there is room for. */
  spare(): number
}

export class FaultyFile implements DiskFile {
  private readonly machine: Machine
  private readonly path: string
  private readonly content: Content
  private readonly access: Access
  private isClosed = false

  constructor(machine: Machine, path: string, content: Content, access: Access) {
    this.machine = machine
    this.path = path
    this.content = content
    this.access = access
  }

  read(bytes: Uint8Array, at: number): Promise<number> {
    return this.do('read', `${bytes.length} at ${at}`, () => this.copy(bytes, at))
  }

  readNow(bytes: Uint8Array, at: number): number {
    this.requireOpen('read')
    const fault = this.machine.faults.next('read', this.path)
    if (fault !== undefined) throw fault
    return this.copy(bytes, at)
  }

  private copy(bytes: Uint8Array, at: number): number {
    const there = this.content.bytes.subarray(at, at + bytes.length)
    const got = this.machine.faults.moved('read', there.length)
    bytes.set(there.subarray(0, got))
    return got
  }

  write(pieces: readonly Uint8Array[], at: number): Promise<number> {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return this.machine.do(
      {
        operation: 'write',
        path: this.path,
        detail: `${size} at ${at}`,
        failed: () => this.failedWrite(pieces, at),
        end: (ending) => this.endedWrite(pieces, at, ending),
      },
      () => this.take(pieces, at),
    )
  }

  private take(pieces: readonly Uint8Array[], at: number): number {
    this.requireWrite('write')
    const bytes = joined(pieces.slice(0, MOST_PIECES))
    const taken = this.machine.faults.moved('write', Math.min(bytes.length, this.fitting(at)))
    if (taken === 0 && bytes.length > 0) throw diskError('ENOSPC', 'write', this.path)
    if (this.access === 'durable') this.content.writeThrough(at, bytes.subarray(0, taken))
    else this.content.write(at, bytes.subarray(0, taken))
    return taken
  }

  /** Bytes from `at` on that there is room for. */
  private fitting(at: number): number {
    return Math.max(0, this.content.size + this.machine.spare() - at)
  }

  /** A write that fails has left the beginning of its bytes, or all of them, or none; on the disk, any of them. */
  private failedWrite(pieces: readonly Uint8Array[], at: number): void {
    if (this.access === 'read' || this.isClosed) return
    const before = this.content.order
    this.endedWrite(pieces, at, 'kill')
    if (this.access === 'durable') this.content.abandon(this.machine.random, before)
  }

  private endedWrite(pieces: readonly Uint8Array[], at: number, ending: Ending): void {
    const { random } = this.machine
    const bytes = joined(pieces.slice(0, MOST_PIECES))
    const most = Math.min(bytes.length, this.fitting(at))
    this.content.write(at, bytes.subarray(0, ending === 'cut' ? most : random.pick([0, most, random.between(0, most)])))
  }

  sync(): Promise<void> {
    // Writes that come while it is under way may be synced or not.
    const order = this.content.order
    const failed = () => this.content.abandon(this.machine.random)
    return this.machine.do({ operation: 'sync', path: this.path, failed }, () => {
      this.requireOpen('sync')
      this.content.sync(this.machine.random.chance(0.5) ? order : this.content.order)
    })
  }

  truncate(size: number): Promise<void> {
    const cut = () => {
      this.requireWrite('truncate')
      this.content.truncate(size)
    }
    const end = () => {
      if (this.machine.random.chance(0.5)) this.content.truncate(size)
    }
    return this.machine.do({ operation: 'truncate', path: this.path, detail: `${size}`, end }, cut)
  }

  size(): Promise<number> {
    return this.do('size', '', () => this.content.size)
  }

  close(): Promise<void> {
    return this.do('close', '', () => {
      this.isClosed = true
    })
  }

  private do<T>(operation: Operation, detail: string, act: () => T): Promise<T> {
    return this.machine.do({ operation, path: this.path, detail }, () => {
      this.requireOpen(operation)
      return act()
    })
  }

  private requireOpen(operation: Operation): void {
    if (this.isClosed) throw diskError('EBADF', operation, this.path)
  }

  private requireWrite(operation: Operation): void {
    this.requireOpen(operation)
    if (this.access === 'read') throw diskError('EBADF', operation, this.path)
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces)
}
