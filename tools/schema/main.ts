/**
 * `npm run test:schema`: protobufs/ keeps buf's rules and breaks nothing that is published, and the archive of the schema is whole.
 *
 * The schema of the last release lies in `published/`, beside this file. `npm run release` copies it there in the commit that it
 * tags, so that clones without tags have it as well, as CI's is one. Until the first release it is the schema of 0.1.0.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSteps, type Steps } from '../common/steps.ts'
import { ROOT } from './archive.ts'
import { ask, CONFIG, demand, installBuf } from './buf.ts'
import { PLANTS, type Plant, type Question } from './plants.ts'
import { archiveHolds, codeIsMade, goCodeIsMade } from './unpacked.ts'

const PUBLISHED = join(import.meta.dirname, 'published')
const QUESTIONS = {
  lint: ['lint', '--config', CONFIG],
  breaking: ['breaking', '--config', CONFIG, '--against', PUBLISHED],
} as const satisfies Record<Question, readonly string[]>

/** Steps, each with its purpose. */
const STEPS = {
  lint: ["protobufs/ keeps buf's rules, and all in it has a comment", () => demand(ROOT, ...QUESTIONS.lint)],
  breaking: [
    'protobufs/ breaks nothing that the last release has published',
    () => demand(ROOT, ...QUESTIONS.breaking),
  ],
  plants: [`${PLANTS.length} planted changes are refused, or taken, as they should be`, plants],
  archive: [
    'the archive: the same bytes again, complete, and its descriptors read the golden files',
    () => inFolder(archiveHolds),
  ],
  code: ['protoc makes C++, Java, C# and Python of the archive', () => inFolder(codeIsMade)],
  go: ['protoc-gen-go makes a module of it that compiles', () => inFolder(goCodeIsMade)],
} as const satisfies Steps

/** Gives what it is used for a folder that goes when that is done. */
async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-schema-'))
  await use(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
}

async function plants(): Promise<void> {
  for (const plant of PLANTS) await inFolder(async (folder) => check(folder, plant))
}

/** Asks buf about a copy of the schema with a change in it. @throws Error when its answer is another than it should be */
function check(folder: string, { what, file, from, to, asked, rule }: Plant): void {
  cpSync(join(ROOT, 'protobufs'), join(folder, 'protobufs'), { recursive: true })
  const path = join(folder, 'protobufs', file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} has not once what "${what}" changes: ${from}`)
  writeFileSync(path, text.replace(from, to))
  const { status, stdout, stderr } = ask(folder, ...QUESTIONS[asked], '--error-format', 'json')
  const broken = [...stdout.matchAll(/"type":"(\w+)"/g)].map(([, type]) => type)
  const isRight = rule === undefined ? status === 0 : status !== 0 && broken.includes(rule)
  const expected = rule ?? 'no objection'
  if (!isRight) throw new Error(`buf ${asked} of "${what}": expected ${expected}, and it says ${stdout}${stderr}`)
}

process.exit(
  await runSteps(STEPS, process.argv.slice(2), {
    usage: 'usage: npm run test:schema [-- STEP...]   all steps, or these',
    notes:
      'Installs buf into tools/schema/ where it is missing. The last two are skipped where there is no protoc, or no Go.',
    prepare: installBuf,
    needsAll: false,
  }),
)
