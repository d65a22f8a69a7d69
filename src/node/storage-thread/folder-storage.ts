/** The folder of a server on Node: journal and heads here, where HTTP is served, and the index in its thread. */
import { dirname, join } from 'node:path'
import type { ControlStore } from '../../access/records.ts'
import { Folder } from '../../backends/folder/folder.ts'
import { FolderStore } from '../../backends/folder/folder-store.ts'
import { DEFAULT_LIMITS } from '../../core/limits.ts'
import type { Store } from '../../core/store.ts'
import { DamagedJournal } from '../../journal/replay.ts'
import { FileObjects } from '../../objects/file-objects.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { CannotOpen, cannotOpen } from '../../sql/cannot-open.ts'
import type { FileOptions } from '../../sql/file.ts'
import type { Tally } from '../tally.ts'
import { type IndexThread, openIndexThread } from './client.ts'
import type { Notice } from './protocol.ts'

export interface FolderStorage {
  readonly openStore: (tenant: string) => Store
  readonly control: ControlStore
  /** Bytes of the database that deletions have left, and that new data takes first. */
  readonly reusable: () => Promise<number>
  /** Resolves when nothing can be stored any more. */
  readonly failed: Promise<Error>
  /** Waits for calls under way. */
  close(): Promise<void>
}

/** @throws CannotOpen */
export async function openFolderStorage(
  options: FileOptions,
  notice: Notice = () => {},
  tally?: Tally,
): Promise<FolderStorage> {
  const place = dirname(options.path)
  const thread = await openIndexThread({ ...options, folder: place }, notice)
  const objects = new FileObjects(nodeDisk, join(place, 'objects'))
  const folder = await openFolder(thread, place, objects, notice, tally)
  return {
    openStore: (tenant) => new FolderStore(folder, tenant, tally),
    control: thread.control,
    reusable: thread.reusable,
    failed: thread.failed,
    close: async () => {
      await folder.close()
      objects.close()
      await thread.close()
    },
  }
}

async function openFolder(
  { index, close }: IndexThread,
  place: string,
  objects: FileObjects,
  notice: Notice,
  tally: Tally | undefined,
): Promise<Folder> {
  try {
    return await Folder.open({
      index,
      objects,
      disk: nodeDisk,
      folder: place,
      limits: DEFAULT_LIMITS,
      notice,
      timed: tally && ((seconds) => tally.committed(seconds)),
    })
  } catch (error) {
    objects.close()
    await close()
    throw error instanceof DamagedJournal ? new CannotOpen(error.message) : cannotOpen(error, place)
  }
}
