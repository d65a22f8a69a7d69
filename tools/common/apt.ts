/** Debian's packages, for tests that need programs of others. */
import { existsSync } from 'node:fs'
import { run } from './run.ts'

/** Something that is not there and cannot be installed here. */
export class Missing extends Error {}

/** Only as root of a Debian, as in CI's containers: nobody else's machine is changed. */
export async function fromApt<T>(packages: readonly string[], find: () => T | undefined): Promise<T | undefined> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined
  console.log(`Installing ${packages.join(' and ')} …`)
  const quiet = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
  try {
    await run(['apt-get', 'update', '-qq'], quiet)
    const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120']
    await run([...install, ...packages], quiet)
  } catch (error) {
    console.log(`apt-get: ${String(error)}`)
  }
  return find()
}
