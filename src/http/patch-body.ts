/** Bodies that are JSON merge patches (RFC 7396). */
import type { JsonValue } from '../core/json.ts'
import { JSON_TYPE, MERGE_PATCH } from '../core/media-types.ts'
import { inTurns } from '../core/turn.ts'
import { checkJson } from '../core/wire/json-reader.ts'
import { valueOfJson } from '../core/wire/json-value.ts'
import { readJsonText } from './body.ts'
import type { AppContext } from './context.ts'
import type { Services } from './operation.ts'
import { bodyLimit } from './quota.ts'

/** Bytes that a character of JSON becomes as values, more or less. */
const VALUE_BYTES = 8

/** @throws McbError `unsupported_media_type`, `payload_too_large` (also for too many values), `overloaded`, `invalid_json` */
export async function readPatch(c: AppContext, services: Services): Promise<JsonValue> {
  const { limits } = services
  const { text, hold } = await readJsonText(c, services, [MERGE_PATCH, JSON_TYPE], bodyLimit(c, limits.jsonBytes))
  await inTurns(checkJson(text))
  hold.take(text.length * VALUE_BYTES)
  hold.settle()
  return inTurns(valueOfJson(text))
}
