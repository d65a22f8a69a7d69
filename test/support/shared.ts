/** The folder of data that tests read in place, and of which nothing is committed: beside the repository, or where MCB_SHARED_DATA says. */
import { fileURLToPath } from 'node:url'

export const SHARED_DATA =
  process.env.MCB_SHARED_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
