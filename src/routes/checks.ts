/** /v1/runs/{rid}/checks: findings that tell whether a run can be trusted, each with the number and what to do. */
import { checksJson } from '../core/formats/checks-json.ts'
import { jsonText } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { AppContext } from '../http/context.ts'
import { describe, packedResponse } from '../http/openapi/describe.ts'
import { prefer, registration } from '../http/openapi/described-headers.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { waitOf } from '../http/summary-query.ts'

const getChecks: Operation = {
  needs: 'read',
  describe: describe('Diagnostics', 'getChecks', 'Whether the run can be trusted, and what to do', {
    description:
      'Always the same checks, in the same order. Within the time of `Prefer: wait` (10 s): a check whose numbers are not computed ' +
      'then is `unknown` and says so; the same request goes on where it was.',
    parameters: [registration, prefer],
    responses: { 200: packedResponse('As of one moment', 'RunChecks') },
    errors: ['run_not_found', 'run_replaced', 'payload_too_large', 'overloaded'],
  }),
  handler: answerChecks,
}

async function answerChecks(c: AppContext, { diagnoses }: Services): Promise<Response> {
  const asking = { owner: c.get('backend'), waitMs: waitOf(c) }
  const text = await withRun(c, ridParam(c), {}, async (run) => {
    if (c.req.method === 'HEAD') return null
    return jsonText(checksJson(await diagnoses.check(run, asking)))
  })
  const headers = { 'Content-Type': JSON_TYPE }
  return text === null ? c.body(null, 200, headers) : c.body(text, 200, headers)
}

export const checkRoutes: Resources = {
  '/v1/runs/:rid/checks': { get: getChecks },
}
