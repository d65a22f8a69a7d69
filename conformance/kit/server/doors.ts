/** Doors without a client (docs/protocol.md §11): that they are there, and begin as what they are. */
import { describe, expect, type TestContext, test } from 'vitest'
import { type Api, bytesOf, expectProblem, jsonOf, withDraws } from '../../../test/http/api.ts'
import { optional, type Subject } from './subject.ts'

const LENGTH = 3

async function opened(server: Subject, context: TestContext, door: string, path: string): Promise<[Api, Response]> {
  const api = await server.open()
  await withDraws(api, LENGTH)
  const response = await optional(server, context, door, await api.get(path))
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  return [api, response]
}

/** Lines of a text that ends with a line feed. */
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)

/** Declares the tests of doors. */
export function doors(server: Subject): void {
  describe('doors', () => {
    test('a Zarr hierarchy', async (context) => {
      const [api, response] = await opened(server, context, 'Zarr hierarchy', '/v1/runs/r/data.zarr/zarr.json')
      expect(await jsonOf(response)).toMatchObject({ zarr_format: 3, node_type: 'group' })
      const array = await jsonOf(await api.get('/v1/runs/r/data.zarr/posterior/x/zarr.json'))
      expect(array).toMatchObject({ zarr_format: 3, node_type: 'array', shape: [1, LENGTH] })
      const put = await api.request('PUT', '/v1/runs/r/data.zarr/zarr.json', { body: new Uint8Array(1) })
      await expectProblem(put, 405, 'method_not_allowed')
    })

    test('a netCDF file', async (context) => {
      const [, response] = await opened(server, context, 'netCDF file', '/v1/runs/r/data.nc')
      const bytes = await bytesOf(response)
      expect(Buffer.from(bytes.slice(0, 8)).toString('latin1')).toBe('\u0089HDF\r\n\u001a\n')
      expect(response.headers.get('Content-Length')).toBe(String(bytes.length))
      expect(response.headers.get('ETag')).toMatch(/^".+"$/)
    })

    test('a table of draws', async (context) => {
      const [, response] = await opened(server, context, 'table of draws', '/v1/runs/r/draws.csv?var=x')
      expect(response.headers.get('Content-Type')?.split(';')[0]).toBe('text/csv')
      expect(linesOf(await response.text())).toEqual([
        '.chain,.iteration,.draw,x',
        '1,1,1,0.0',
        '1,2,2,1.0',
        '1,3,3,2.0',
      ])
    })

    test('a NumPy array', async (context) => {
      const [, response] = await opened(server, context, 'NumPy array', '/v1/runs/r/chains/0/draws.npy?var=x')
      const bytes = Buffer.from(await bytesOf(response))
      expect(bytes.subarray(0, 6).toString('latin1')).toBe('\u0093NUMPY')
      expect(bytes.subarray(-24)).toEqual(Buffer.from(Float64Array.of(0, 1, 2).buffer))
    })

    test('CSV as Stan has it', async (context) => {
      const [, response] = await opened(server, context, "Stan's CSV", '/v1/runs/r/chains/0/stan.csv')
      const rows = linesOf(await response.text()).filter((line) => !line.startsWith('#'))
      expect(rows).toHaveLength(1 + LENGTH)
      expect(rows[0]?.split(',').slice(-1)).toEqual(['x'])
    })

    test('events', async (context) => {
      const [, response] = await opened(server, context, 'events', '/v1/runs/r/events')
      expect(response.headers.get('Content-Type')?.split(';')[0]).toBe('text/event-stream')
      const reader = response.body?.getReader()
      const first = await reader?.read()
      expect(Buffer.from(first?.value ?? []).length).toBeGreaterThan(0)
      await reader?.cancel()
    })
  })
}
