/** Headers of requests for a part of an answer, for /openapi.json. */
import type { Parameter } from './types.ts'

const header = (name: string, description: string, example?: string): Parameter => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
  ...(example !== undefined && { example }),
})

export const rangeParameters: readonly Parameter[] = [
  header('Range', 'One range of bytes; several, or what is none, are answered with the whole', 'bytes=0-1023'),
  header('If-Range', 'ETag of what the client has a part of; the whole is answered when it is not the present one'),
  header('If-Match', 'ETag of what is meant, or *; 412 chains_changed when it is not the present one'),
]
