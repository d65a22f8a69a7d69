/** Arrays of Python objects, which NumPy serialises as their addresses in the writer's memory. */
import { McbError } from '../errors.ts'
import type { mcbackend, npproto } from '../generated/messages.js'

/** NumPy's names for the dtype of Python objects, with or without a byte order, which means nothing there. */
const OBJECT = /^[<>=|]?(O[48]?|object_?)$/
/** A field of that dtype in a structure: `[('a', '<f8'), ('b', 'O')]`. */
const OBJECT_FIELD = /, ?'[<>=|]?O[48]?'/

/**
 * Refuses metadata whose labels, data or attributes are addresses: they mean nothing elsewhere, and differ at each start.
 *
 * @throws McbError `unsupported_dtype` with the name of the coordinate, the data or the attribute
 */
export function refuseObjectArrays(meta: mcbackend.RunMeta.$Properties): void {
  for (const { name, values } of meta.coordinates ?? []) check('coordinate', name ?? '', values)
  for (const { name, value } of meta.data ?? []) check('data', name ?? '', value)
  for (const [name, { ndarrayValue }] of Object.entries(meta.attributes ?? {})) check('attribute', name, ndarrayValue)
}

function check(what: string, name: string, array: npproto.ndarray.$Properties | null | undefined): void {
  const dtype = array?.dtype ?? ''
  if (!OBJECT.test(dtype) && !(dtype.startsWith('[') && OBJECT_FIELD.test(dtype))) return
  const why = 'has addresses in the memory of its writer in place of values; send text, numbers or times'
  throw new McbError('unsupported_dtype', `${what} "${name}": dtype "${dtype}" ${why}`, { variable: name })
}
