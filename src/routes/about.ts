/** /v1/runs/{rid}/about: name, tags, notes, facts and attributes of a run. */
import { parsePatch } from '../core/about.ts'
import type { RunAbout } from '../core/interfaces.ts'
import { type JsonValue, jsonText } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { AppContext } from '../http/context.ts'
import { countDocument } from '../http/document.ts'
import { lineJson } from '../http/line-json.ts'
import { describe, jsonResponse, patchBody } from '../http/openapi/describe.ts'
import { contentEncoding, ifMatch, registration } from '../http/openapi/described-headers.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { readPatch } from '../http/patch-body.ts'
import { countAdded, requireRoom } from '../http/quota.ts'
import { REGISTRATION, withRun } from '../http/run-of-request.ts'
import { shownFacts } from '../http/shown-facts.ts'
import { requireETag } from '../runs/lines.ts'

const getAbout: Operation = {
  needs: 'read',
  describe: describe('Runs', 'getAbout', 'Name, tags, notes, facts and attributes of a run', {
    description: 'Never 304: the counts and the state of the line are in it, which its ETag does not know.',
    parameters: [registration],
    responses: { 200: jsonResponse('As it is now', 'RunAbout', 'ETag', 'Mcb-Registration', 'Content-Encoding') },
    errors: ['run_not_found', 'run_replaced'],
  }),
  handler: async (c, services) => {
    if (c.req.method === 'HEAD') return head(c)
    const { about, registration } = await withRun(c, ridParam(c), {}, async (run) => {
      return { about: await run.about(), registration: run.registration }
    })
    return answer(c, services, about, registration)
  },
}

const patchAbout: Operation = {
  needs: 'write',
  describe: describe('Runs', 'patchAbout', 'Change name, tags, notes, facts, or the archive’s mark', {
    description:
      'A JSON merge patch (RFC 7396): absent members stay, null resets one, and `facts` are merged at any depth. Of two that ' +
      'race, `If-Match` decides; without it, the later one follows the earlier.',
    parameters: [registration, ifMatch, contentEncoding],
    requestBody: patchBody,
    responses: { 200: jsonResponse('As it is now', 'RunAbout', 'ETag', 'Mcb-Registration', 'Content-Encoding') },
    errors: ['invalid_json', 'quota_exceeded', 'run_not_found', 'run_replaced', 'about_changed', 'invalid_about'],
  }),
  handler: async (c, services) => {
    const { quotas } = services
    const condition = c.req.header('If-Match')
    let body: Promise<JsonValue> | undefined
    const { about, registration } = await withRun(c, ridParam(c), {}, async (run) => {
      // A run that is missing, and a condition that fails, come before anything that is wrong with the body.
      const etag = await run.aboutETag()
      if (condition !== undefined) requireETag(condition, etag)
      body ??= readPatch(c, services)
      const patch = parsePatch(await body)
      let added = { runs: 0, bytes: 0 }
      const admit = async (bytes: number) => {
        added = { runs: 0, bytes }
        await requireRoom(c, quotas, added, async () => bytes <= 0)
      }
      const about = await run.changeAbout(patch, { admit, ...(condition !== undefined && { ifMatch: condition }) })
      countAdded(c, quotas, added)
      return { about, registration: run.registration }
    })
    return answer(c, services, about, registration)
  },
}

/** The headers alone: the body would be made in vain. */
async function head(c: AppContext): Promise<Response> {
  const [etag, registration] = await withRun(c, ridParam(c), {}, async (run) => {
    return [await run.aboutETag(), run.registration] as const
  })
  return c.body(null, 200, { ETag: etag, [REGISTRATION]: registration, 'Content-Type': JSON_TYPE })
}

function answer(c: AppContext, services: Services, about: RunAbout, registration: string): Response {
  const { etag, facts, ...line } = about
  const text = jsonText({ ...lineJson(line), facts: shownFacts(c, facts) })
  const bytes = new TextEncoder().encode(text)
  countDocument(c, services, bytes.length)
  c.header('ETag', etag)
  c.header(REGISTRATION, registration)
  c.header('Content-Type', JSON_TYPE)
  return c.body(bytes, 200)
}

export const aboutRoutes: Resources = {
  '/v1/runs/:rid/about': { get: getAbout, patch: patchAbout },
}
