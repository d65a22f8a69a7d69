/** A disk of a few MiB that a test can fill: a file system in memory, where one may be mounted. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { newFolder, removeFolder } from './storage.ts'

const MIB = 2 ** 20

export class SmallDisk {
  readonly folder = newFolder()
  private readonly ballast = join(this.folder, 'ballast')

  /** Leaves this many bytes, about. */
  fill(left: number): void {
    const piece = new Uint8Array(64 * 1024)
    const file = openSync(this.ballast, 'a')
    while (this.free() > left) writeSync(file, piece)
    closeSync(file)
  }

  free(): number {
    const { bavail, bsize } = statfsSync(this.folder)
    return bavail * bsize
  }

  makeRoom(): void {
    rmSync(this.ballast)
  }

  close(): void {
    run('umount', this.folder)
    removeFolder(this.folder)
  }
}

/** A small disk, or the reason that none can be had here. */
export function openSmallDisk(mib: number): SmallDisk | string {
  if (process.platform !== 'linux') return 'a small disk is made on Linux alone'
  const disk = new SmallDisk()
  const refused = run('mount', '-t', 'tmpfs', '-o', `size=${mib * MIB}`, 'tmpfs', disk.folder)
  if (refused === undefined) return disk
  removeFolder(disk.folder)
  return `no file system can be mounted here (${refused})`
}

function run(...command: readonly string[]): string | undefined {
  const [program = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command]
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  return status === 0 ? undefined : (error?.message ?? stderr.trim())
}
