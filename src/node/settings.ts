/** Settings of the Node entry, from its environment. */
import { type AccessSettings, accessSettings, isLoopback } from '../access/settings.ts'
import { boundsOf } from '../core/limit-settings.ts'
import type { Bounds } from '../core/limits.ts'
import type { AddressOf } from '../http/context.ts'
import { clientAddresses } from './client-address.ts'
import { leastFreeOf } from './free-disk.ts'
import { LOG_FORMS, type LogForm } from './log.ts'
import { type MetricsSettings, metricsSettings } from './metrics-server.ts'
import { STORAGES, type StorageKind } from './storage.ts'

export interface Settings {
  readonly host: string
  readonly port: number
  readonly folder: string
  readonly kind: StorageKind
  readonly form: LogForm
  readonly access: AccessSettings
  readonly bounds: Bounds
  readonly addressOf: AddressOf
  readonly metrics: MetricsSettings
  /** Bytes of the data's disk that writes leave free. */
  readonly leastFree: number
}

/** @throws Error with one sentence that says what to set */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  // A variable that is set to nothing is not set.
  const set: NodeJS.ProcessEnv = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const { HOST: host = '127.0.0.1', MCB_DATA_DIR: folder = './data' } = set
  return {
    host,
    port: portIn('PORT', set.PORT ?? '8787'),
    folder,
    kind: oneOf(STORAGES, 'MCB_STORAGE', set.MCB_STORAGE ?? 'sqlite'),
    form: oneOf(LOG_FORMS, 'MCB_LOG', set.MCB_LOG ?? 'requests'),
    access: accessSettings(environment, isLoopback(host) ? 'this machine' : 'others'),
    bounds: boundsOf(environment),
    addressOf: clientAddresses(set.MCB_TRUST_PROXY),
    metrics: metricsSettings(set),
    leastFree: leastFreeOf(set.MCB_MIN_FREE_MIB),
  }
}

function portIn(name: string, text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new Error(`${name} must be a number from 0 to 65535, not "${text}".`)
}

function oneOf<T extends string>(names: readonly T[], variable: string, given: string): T {
  const found = names.find((name) => name === given)
  if (found === undefined) throw new Error(`${variable} must be one of ${names.join(', ')}, not "${given}".`)
  return found
}
