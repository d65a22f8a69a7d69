/** Tenants and keys in the file of the storage thread. */
import type { ControlStore } from '../../access/records.ts'

type Method = keyof ControlStore
export type CallControl = <M extends Method>(
  method: M,
  args: Parameters<ControlStore[M]>,
) => Promise<Awaited<ReturnType<ControlStore[M]>>>

export class ThreadControl implements ControlStore {
  private readonly call: CallControl

  constructor(call: CallControl) {
    this.call = call
  }

  secret(...args: Parameters<ControlStore['secret']>) {
    return this.call('secret', args)
  }

  createTenant(...args: Parameters<ControlStore['createTenant']>) {
    return this.call('createTenant', args)
  }

  listTenants() {
    return this.call('listTenants', [])
  }

  findTenant(...args: Parameters<ControlStore['findTenant']>) {
    return this.call('findTenant', args)
  }

  updateTenant(...args: Parameters<ControlStore['updateTenant']>) {
    return this.call('updateTenant', args)
  }

  retireTenant(...args: Parameters<ControlStore['retireTenant']>) {
    return this.call('retireTenant', args)
  }

  releaseName(...args: Parameters<ControlStore['releaseName']>) {
    return this.call('releaseName', args)
  }

  retiredTenants() {
    return this.call('retiredTenants', [])
  }

  dropTenant(...args: Parameters<ControlStore['dropTenant']>) {
    return this.call('dropTenant', args)
  }

  addKey(...args: Parameters<ControlStore['addKey']>) {
    return this.call('addKey', args)
  }

  listKeys(...args: Parameters<ControlStore['listKeys']>) {
    return this.call('listKeys', args)
  }

  removeKey(...args: Parameters<ControlStore['removeKey']>) {
    return this.call('removeKey', args)
  }

  removeShares(...args: Parameters<ControlStore['removeShares']>) {
    return this.call('removeShares', args)
  }

  findKey(...args: Parameters<ControlStore['findKey']>) {
    return this.call('findKey', args)
  }

  touchKey(...args: Parameters<ControlStore['touchKey']>) {
    return this.call('touchKey', args)
  }
}
