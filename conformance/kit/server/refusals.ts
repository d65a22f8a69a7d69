/** Requests that must be refused: with which status, code and fields, and that nothing is changed by them. */
import { describe, expect, test } from 'vitest'
import { ERRORS } from '../../../src/core/errors.ts'
import { ABOUT_CASES } from '../../../test/http/about-cases.ts'
import { expectProblem, snapshot, withDraws } from '../../../test/http/api.ts'
import { type Case, LENGTH } from '../../../test/http/case.ts'
import { CONTENT_CASES } from '../../../test/http/content-cases.ts'
import { REQUEST_CASES } from '../../../test/http/request-cases.ts'
import { SharedPlace, type Subject } from './subject.ts'

type Problem = Awaited<ReturnType<typeof expectProblem>>

/** The answer refuses as the case says. Returns the problem; undefined for HEAD, whose answer has none. */
export async function expectRefusal(response: Response, given: Case): Promise<Problem | undefined> {
  const { code, fields } = given
  const status = given.status ?? ERRORS[code][0]
  if (given.request[0] === 'HEAD') {
    expect([response.status, await response.text()]).toEqual([status, ''])
    return undefined
  }
  const problem = await expectProblem(response, status, code)
  if (fields) expect(problem).toMatchObject(fields)
  if (status === 422 && !['invalid_run_meta', 'invalid_about'].includes(code))
    expect(problem).toHaveProperty('variable')
  if (code.endsWith('_mismatch')) {
    const kind = code === 'dtype_mismatch' ? 'string' : 'object'
    expect([typeof problem.expected, typeof problem.actual]).toEqual([kind, kind])
  }
  return problem
}

/** Sorted methods of a header such as `Allow`. */
const methodsOf = (header: string | null | undefined): string[] => (header ?? '').split(/ *, */).sort()

/**
 * A case as any server must answer it; undefined for one that is this project's own.
 *
 * Paths beside /v1 may be somebody else's where a server has an address below that of others, OPTIONS is for web pages of
 * other origins, and counts in `expected` and `actual` are for people.
 */
function anyServers(given: Case): Case | undefined {
  const [method, path] = given.request
  if (!path.startsWith('/v1/') || method === 'OPTIONS') return undefined
  if (!given.code.endsWith('_mismatch')) return given
  return { ...given, fields: { variable: given.fields?.variable } }
}

/** Declares a test for each case. */
export function refusals(server: Subject): void {
  const cases = [...REQUEST_CASES, ...CONTENT_CASES, ...ABOUT_CASES].flatMap((given) => anyServers(given) ?? [])
  describe('refusals', () => {
    const place = new SharedPlace(server, async (api) => {
      await withDraws(api, LENGTH)
      return snapshot(api)
    })

    test.each(cases.map((given) => [given.code, given.what, given] as const))('%s: %s', (code, _what, given) =>
      place.use(async (api, before) => {
        const response = await api.request(...given.request)
        await expectRefusal(response, given)
        if (code === 'method_not_allowed') {
          expect(methodsOf(response.headers.get('Allow'))).toEqual(methodsOf(given.what.split(', not ')[1]))
        }
        expect(await snapshot(api)).toEqual(before)
      }),
    )
  })
}
