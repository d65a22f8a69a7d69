/** A copy of this checkout whose CRC is always 0, to show the cost of checksums. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Folders whose files are copied, since Node finds the modules that a file imports beside the file that a link leads to. */
const COPIED = ['src', 'bench']
const LEFT_OUT = /^(\.git|data(-.*)?)$/
const CRC = "import { crc32 } from 'node:zlib'"
const NO_CRC = 'const crc32 = (_data: Uint8Array | string, _before?: number) => 0'
/** The module through which objects and the journal are summed, which must be among those that are changed. */
const SUMS = 'src/objects/checksum.ts'

export interface BareTree {
  readonly folder: string
  remove(): void
}

export function bareTree(): BareTree {
  const folder = mkdtempSync(join(tmpdir(), 'mcbackend-bare-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    for (const name of readdirSync('.')) {
      if (COPIED.includes(name)) cpSync(name, join(folder, name), { recursive: true })
      else if (!LEFT_OUT.test(name)) symlinkSync(resolve(name), join(folder, name))
    }
    const changed = modulesIn(join(folder, 'src')).filter(withoutCrc)
    if (!changed.includes(join(folder, SUMS))) throw new Error(`${SUMS} takes its CRC from somewhere else now`)
  } catch (error) {
    remove()
    throw error
  }
  return { folder, remove }
}

function modulesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter(({ name }) => name.endsWith('.ts')).map(({ name, parentPath }) => join(parentPath, name))
}

/** Changes a module that imports the CRC. */
function withoutCrc(path: string): boolean {
  const source = readFileSync(path, 'utf8')
  if (!source.includes(CRC)) return false
  writeFileSync(path, source.replace(CRC, NO_CRC))
  return true
}
