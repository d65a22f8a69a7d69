/** The archive as its reader has it: unpacked by tar, read by its descriptors, and made into code of other languages. */
import { deepStrictEqual } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromApt, Missing } from '../common/apt.ts'
import { run } from '../common/run.ts'
import { findGo } from '../openapi/needs.ts'
import { archiveOfSchema, DESCRIPTORS, linkedBy, PAGES } from './archive.ts'
import { demand } from './buf.ts'

const FOLDER = import.meta.dirname
/** The generator, and the library that what it makes is compiled with. */
const GO_PROTOBUF = { module: 'google.golang.org/protobuf', version: 'v1.36.12' }
/** Module that `go_package` of all files lies in. */
const GO_MODULE = 'mcbackend-edge/protobufs'

/** Golden batches that are read. */
const DRAWS = ['small', 'small-unpacked', 'variables', 'largest-numbers']
/** A golden run that buf cannot write as JSON: it has a google.protobuf.Value in which nothing is. */
const NOT_AS_JSON = 'attributes-without-kind.json'

/** Files that protoc makes, some of each language. */
const MADE = [
  'meta.pb.h',
  'npproto/ndarray.pb.cc',
  'mcbackend/edge/DrawBatch.java',
  'mcbackend/edge/DrawsProto.java',
  'mcbackend/edge/npproto/ndarray.java',
  'Meta.cs',
  'draws_pb2.py',
]

/** Unpacks the archive in a folder, and gives the folder of its files. */
async function unpack(folder: string): Promise<string> {
  const { name, folder: inside, bytes } = archiveOfSchema()
  writeFileSync(join(folder, name), bytes)
  await run(['tar', '-xzf', name], { cwd: folder })
  return join(folder, inside)
}

/** The archive is the same when it is made again; it has what it should, and no link of the contract leads nowhere. */
export async function archiveHolds(folder: string): Promise<void> {
  const { name, files, bytes } = archiveOfSchema()
  const again = join(folder, 'again')
  // Another process, with another clock and other permissions of new files.
  const pack = `umask 077; TZ=Asia/Tokyo exec "$0" "$1" --out "$2"`
  await run(['sh', '-c', pack, process.execPath, join(FOLDER, 'pack.ts'), again])
  const digests = [bytes, readFileSync(join(again, name))].map((one) => createHash('sha256').update(one).digest('hex'))
  deepStrictEqual(digests[1], digests[0], `${name} has other bytes when it is made again`)

  const unpacked = await unpack(folder)
  const there = readdirSync(unpacked, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  deepStrictEqual(
    there.map((entry) => join(entry.parentPath, entry.name)).sort(),
    [...files.keys()].map((path) => join(unpacked, path)).sort(),
  )
  for (const [path, content] of files) {
    if (!readFileSync(join(unpacked, path)).equals(content)) throw new Error(`${path} was unpacked with other bytes`)
  }
  for (const page of PAGES) {
    const nowhere = linkedBy(page, readFileSync(join(unpacked, page), 'utf8')).filter(
      (path) => !existsSync(join(unpacked, path)),
    )
    deepStrictEqual(nowhere, [], `${page} links to what the archive has not`)
  }
  descriptorsHold(unpacked)
}

/** The descriptors are those of the files beside them, with the comments, and read what others have written. */
function descriptorsHold(unpacked: string): void {
  demand(unpacked, 'build', 'protobufs', '--as-file-descriptor-set', '--output', 'again.binpb')
  const bytes = readFileSync(join(unpacked, DESCRIPTORS))
  if (!bytes.equals(readFileSync(join(unpacked, 'again.binpb')))) throw new Error(`${DESCRIPTORS} is not of protobufs/`)
  if (!bytes.includes('Number of iterations.')) throw new Error(`${DESCRIPTORS} has no comments`)
  const golden = join(unpacked, 'conformance/golden/files')
  const read = (message: string, path: string) => {
    const from = `${join(golden, path)}.bin#format=binpb`
    return JSON.parse(
      demand(unpacked, 'convert', DESCRIPTORS, '--type', message, '--from', from, '--to', '-#format=json'),
    )
  }
  const told = (path: string) => JSON.parse(readFileSync(join(golden, `${path}.json`), 'utf8'))
  const runs = readdirSync(join(golden, 'runmeta')).filter((file) => file.endsWith('.json') && file !== NOT_AS_JSON)
  for (const run of runs.map((file) => `runmeta/${file.slice(0, -'.json'.length)}`)) {
    deepStrictEqual(read('mcbackend.RunMeta', run), told(run).canonical)
  }
  for (const name of DRAWS) {
    const columns = ({ draws = [], stats = [] }: Batch) => [...draws, ...stats]
    deepStrictEqual(
      columns(read('mcbackend.DrawBatch', `draws/${name}`)).map((column) => column.data ?? ''),
      columns(told(`draws/${name}`)).map((column) => Buffer.from(column.data, 'hex').toString('base64')),
    )
  }
}

/** A batch as JSON, as far as it is compared. */
interface Batch {
  readonly draws?: readonly { readonly data: string }[]
  readonly stats?: readonly { readonly data: string }[]
}

const findProtoc = () => ['protoc'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)

/** The commands of the archive's README.md make code. @throws Missing */
export async function codeIsMade(folder: string): Promise<void> {
  const protoc = findProtoc() ?? (await fromApt(['protobuf-compiler'], findProtoc))
  if (protoc === undefined) throw new Missing('protoc: install protobuf-compiler')
  const unpacked = await unpack(folder)
  const [, commands = ''] =
    /^```sh\n(FILES=[\s\S]*?)^```/m.exec(readFileSync(join(unpacked, 'README.md'), 'utf8')) ?? []
  // Go's generator is no part of protoc.
  const lines = commands.split('\n').filter((line) => !line.includes('--go_out'))
  await run(['sh', '-ec', lines.join('\n')], { cwd: unpacked })
  deepStrictEqual(
    MADE.filter((file) => !existsSync(join(unpacked, 'out', file))),
    [],
    'protoc has not made these',
  )
}

/** Code for Go, which is checked by its compiler. @throws Missing */
export async function goCodeIsMade(folder: string): Promise<void> {
  const go = findGo()
  if (go === undefined) throw new Missing('Go 1.23 or later: install it (https://go.dev/dl/)')
  const unpacked = await unpack(folder)
  const out = join(unpacked, 'out')
  mkdirSync(out)
  const required = `require ${GO_PROTOBUF.module} ${GO_PROTOBUF.version}`
  writeFileSync(join(out, 'go.mod'), `module ${GO_MODULE}\n\ngo 1.23\n\n${required}\n`)
  const inModule = { cwd: out, env: { GOFLAGS: '-mod=mod -buildvcs=false' }, output: 'when it fails' } as const
  // Temporary folders may be such that nothing in them can be started.
  const generator = join(FOLDER, 'node_modules/.cache/protoc-gen-go')
  await run([go, 'build', '-o', generator, `${GO_PROTOBUF.module}/cmd/protoc-gen-go`], inModule)
  const plugin = { local: generator, out: 'out', opt: `module=${GO_MODULE}` }
  demand(unpacked, 'generate', 'protobufs', '--template', JSON.stringify({ version: 'v2', plugins: [plugin] }))
  deepStrictEqual(readdirSync(out).sort(), ['go.mod', 'go.sum', 'mcbackend', 'npproto'])
  await run([go, 'vet', './...'], inModule)
}
