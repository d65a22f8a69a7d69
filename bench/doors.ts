/** `npm run bench:doors`: the doors for readers and writers without a client, each in a process of its own, one after the other. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

const DOORS = ['zarr', 'netcdf', 'tables', 'nutpie'] as const

const HELP = `usage: npm run bench:doors -- [--json] [--quick] [--only ${DOORS.join('|')}]

  --json   one JSON object a door on standard output; progress goes to standard error
  --quick  less data, fewer and shorter turns
  --only   zarr     xarray's open_datatree over HTTP against a local folder
           netcdf   data.nc against the protobuf answer of the same draws
           tables   draws.csv and draws.arrows against String(x) of the same doubles
           nutpie   nutpie into the URL against nutpie into a local folder

Use an idle machine.`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
    only: { type: 'string', multiple: true },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const wanted = values.only ?? DOORS
const unknown = wanted.find((name) => !DOORS.some((door) => door === name))
if (unknown !== undefined) {
  console.error(`there is no door "${unknown}"\n\n${HELP}`)
  process.exit(2)
}

const options = [...(values.json ? ['--json'] : []), ...(values.quick ? ['--quick'] : [])]
for (const door of DOORS.filter((each) => wanted.includes(each))) {
  const script = `bench/doors/${door}.ts`
  if (!existsSync(script)) {
    console.error(`${door}: there is no ${script}`)
    process.exitCode = 1
    continue
  }
  if (!values.json) console.log(`${door}:`)
  const child = spawn(process.execPath, [script, ...options], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) process.exitCode = 1
}
