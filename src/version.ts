/** The version of this software; package.json is where it stands. */
import packageFile from '../package.json' with { type: 'json' }

export const VERSION: string = packageFile.version
