/** /v1/runs/{rid}/chains and …/chains/{chain}. */
import type { ChainState } from '../core/store.ts'
import { ROW_BYTES } from '../core/usage.ts'
import { describe, jsonResponse, packedResponse } from '../http/openapi/describe.ts'
import { onlyNew, registration } from '../http/openapi/described-headers.ts'
import type { Operation, Resources } from '../http/operation.ts'
import { chainParam, ridParam } from '../http/params.ts'
import { countAdded, requireRoom } from '../http/quota.ts'
import { requireChain, withRun } from '../http/run-of-request.ts'
import type { StoreRun } from '../runs/backend.ts'

const listChains: Operation = {
  needs: 'read',
  describe: describe('Chains', 'listChains', 'The chains of a run, by number', {
    parameters: [registration],
    responses: { 200: packedResponse('Chains and their lengths', 'ChainList') },
    errors: ['run_not_found', 'run_replaced'],
  }),
  handler: async (c) => {
    const chains = await withRun(c, ridParam(c), {}, (run) => run.getChains())
    return c.json({ chains: chains.map(({ state }) => present(state)) })
  },
}

const putChain: Operation = {
  needs: 'write',
  describe: describe('Chains', 'putChain', 'Create a chain, or find it', {
    parameters: [registration, onlyNew],
    responses: { 200: jsonResponse('It exists', 'ChainState'), 201: jsonResponse('Created', 'ChainState') },
    errors: ['quota_exceeded', 'run_not_found', 'chain_exists', 'run_replaced', 'invalid_run_meta'],
  }),
  handler: async (c, { quotas }) => {
    const number = chainParam(c)
    const exclusive = c.req.header('If-None-Match')?.trim() === '*'
    const chain = await withRun(c, ridParam(c), {}, async (run) => {
      const added = { runs: 0, bytes: ROW_BYTES }
      await requireRoom(c, quotas, added, async () => (await run.getChain(number)) !== undefined)
      const made = await run.initChain(number, { exclusive })
      if (made.isNew) countAdded(c, quotas, added)
      return made
    })
    return c.json(present(chain.state), chain.isNew ? 201 : 200)
  },
}

const getChain: Operation = {
  needs: 'read',
  describe: describe('Chains', 'getChain', 'Length of a chain', {
    parameters: [registration],
    responses: { 200: jsonResponse('Its present length', 'ChainState') },
    errors: ['run_not_found', 'chain_not_found', 'run_replaced'],
  }),
  handler: async (c) => {
    const number = chainParam(c)
    const resource = (run: StoreRun) => requireChain(run, number)
    const chain = await withRun(c, ridParam(c), { resource }, resource)
    return c.json(present(chain.state))
  },
}

function present({ chain, length, updatedAt }: ChainState) {
  return { chain, length, updatedAt: new Date(updatedAt).toISOString() }
}

export const chainRoutes: Resources = {
  '/v1/runs/:rid/chains': { get: listChains },
  '/v1/runs/:rid/chains/:chain': { get: getChain, put: putChain },
}
