/** A database file that belongs to this process alone, with its folder. */
import { cannotOpen } from '../sql/cannot-open.ts'
import { FileDriver, type FileOptions } from '../sql/file.ts'
import { DataFolder } from './data-folder.ts'

export interface OwnedFile {
  readonly driver: FileDriver
  close(): void
}

/** @throws CannotOpen */
export function openOwned(options: FileOptions): OwnedFile {
  try {
    const folder = new DataFolder(options.path)
    return owned(folder, options)
  } catch (error) {
    throw cannotOpen(error, options.path)
  }
}

function owned(folder: DataFolder, options: FileOptions): OwnedFile {
  try {
    const driver = new FileDriver(options)
    folder.mark()
    const close = () => {
      driver.close()
      folder.release()
    }
    return { driver, close }
  } catch (error) {
    folder.release()
    throw error
  }
}
