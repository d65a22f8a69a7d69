/** Staged objects in this process's memory. */
import { byPath, requireStagedPath, requireStagedRoom, stagedBytes } from '../core/staging.ts'
import type { StagedObject, Staging } from '../core/store.ts'

export class MemoryStaging implements Staging {
  /** Objects by rid and path; a run without any has no entry. */
  private readonly runs = new Map<string, Map<string, Uint8Array<ArrayBuffer>>>()

  async stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    requireStagedPath(path)
    const objects = this.runs.get(rid) ?? new Map<string, Uint8Array<ArrayBuffer>>()
    if (!objects.has(path)) requireStagedRoom(rid, objects.size)
    objects.set(path, data.slice())
    this.runs.set(rid, objects)
  }

  async staged(rid: string, paths: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const objects = this.runs.get(rid)
    return paths.map((path) => objects?.get(path)?.slice())
  }

  async listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    const found = [...(this.runs.get(rid) ?? [])].filter(([path]) => path.startsWith(prefix))
    return byPath(found.map(([path, { length }]) => ({ path, size: length })))
  }

  async unstage(rid: string, paths: readonly string[]): Promise<void> {
    const objects = this.runs.get(rid)
    for (const path of paths) objects?.delete(path)
    if (objects?.size === 0) this.runs.delete(rid)
  }

  async unstageAll(rid: string): Promise<void> {
    this.runs.delete(rid)
  }

  /** Forgets all objects of a run; false when there were none. */
  forget(rid: string): boolean {
    return this.runs.delete(rid)
  }

  clear(): void {
    this.runs.clear()
  }

  /** Bytes that all objects count for. */
  bytes(): number {
    let bytes = 0
    for (const objects of this.runs.values()) {
      for (const [path, { length }] of objects) bytes += stagedBytes(path, length)
    }
    return bytes
  }
}
