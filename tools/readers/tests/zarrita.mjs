// Prints all arrays of a Zarr tree as zarrita reads them: `node zarrita.mjs URL`. A line of JSON each.
import * as zarr from 'zarrita'

const [url = ''] = process.argv.slice(2)
const store = await zarr.withConsolidatedMetadata(new zarr.FetchStore(url), { format: 'v3' })
const root = await zarr.open.v3(store, { kind: 'group' })

/** A number in the digits that tell it from all others. */
function plain(value) {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return Object.is(value, -0) ? '-0' : value
}

for (const { path, kind } of store.contents()) {
  if (kind !== 'array') continue
  const array = await zarr.open.v3(root.resolve(path), { kind: 'array' })
  // An array without dimensions is given as its value.
  const read = await zarr.get(array)
  const values = array.shape.length > 0 ? Array.from(read.data, plain) : [plain(read)]
  console.log(JSON.stringify({ path, dtype: array.dtype, shape: array.shape, dims: array.dimensionNames, values }))
}
