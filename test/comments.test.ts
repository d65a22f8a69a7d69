/** Comments name their thing first: no sentence opens with a clause, or with "of", in place of a noun. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const FOLDERS = 'bench bin clients conformance examples scripts src test tools web'.split(' ')
/** Folders of what others wrote, and of what is made by programs; those with a dot in front are left out as well. */
const LEFT_OUT = new Set(['generated', 'node_modules', 'build', 'dist', 'target', '__pycache__'])

/** Words that open a clause in place of a noun. "When" and "while" open one of time, which a sentence may begin with. */
const OPENING =
  /^(?:what|who|whose|whom|whoever|whatever|whichever|whether|where|wherever|which|how|why|of|(?:by|to|for|from|with|in|on) (?:what|whom|which))\b/i

/** Doc comments, and blocks of `//`, that have lines of their own. */
const COMMENT = /^[ \t]*\/\*\*?[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm
const COMMENT_MARKS = /^[ \t]*(?:\/\*\*?|\*\/|\*|\/\/\/?)[ \t]?|[ \t]*\*\/$/gm
/** Blocks of `#`, and docstrings, in Python; the former in settings and R as well, where `#'` is documentation. */
const HASHES = /^[ \t]*r?"""[\s\S]*?"""|(?:^[ \t]*#(?!!).*\n)+/gm
const HASH_MARKS = /^[ \t]*(?:#[:']?|r?""")[ \t]?|"""$/gm
/** Names of tags, and of the parameter that one describes: its text begins behind them. */
const TAG = /@(?:param [\w.]+|\w+)/g
const BETWEEN_SENTENCES = /\n\s*[-*] |\n\s*\n|(?<=[.!?:])\s+(?=[A-Z])/

/** Sentences of all comments of a text, each on one line. */
function sentencesOf(text: string, comment = COMMENT, marks = COMMENT_MARKS): string[] {
  return [...text.matchAll(comment)].flatMap(([found]) => {
    const plain = found.replace(marks, '').replace(TAG, '\n\n')
    return plain.split(BETWEEN_SENTENCES).map((sentence) => sentence.trim().replaceAll(/\s+/g, ' '))
  })
}

const sentencesOfPython = (text: string): string[] => sentencesOf(text, HASHES, HASH_MARKS)

const READERS: readonly [RegExp, (text: string) => string[]][] = [
  [/\.(?:tsx?|mjs|[ch]pp)$/, sentencesOf],
  [/\.(?:py|toml|ya?ml|R)$|requirements.*\.txt$|CMakeLists\.txt$/, sentencesOfPython],
]

function* filesIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile()) yield path
  }
}

const hasNoSubject = (sentence: string): boolean => OPENING.test(sentence)

test.each([
  ['/** Whether it is there. */', 'Whether it is there.'],
  ['  // Found late.\n  // What is\n  // left is read.\n', 'What is left is read.'],
  ['/**\n * Of its rows.\n */', 'Of its rows.'],
  ['/** Reads. @param rid of the run */', 'of the run'],
  ['/** Reads. @throws what the call threw */', 'what the call threw'],
  ['/**\n * Ways:\n *\n * - whoever asks\n */', 'whoever asks'],
])('found in %j', (comment, sentence) => {
  expect(sentencesOf(comment).filter(hasNoSubject)).toEqual([sentence])
})

test.each([
  ['# What it has.\nx = 1\n', 'What it has.'],
  ['def f():\n    """Whether it is there."""\n', 'Whether it is there.'],
  ['#: Shown. Of its rows,\n#: the last.\n', 'Of its rows, the last.'],
])('found in %j, of Python', (comment, sentence) => {
  expect(sentencesOfPython(comment).filter(hasNoSubject)).toEqual([sentence])
})

test('left alone: names, strings, and clauses behind a noun', () => {
  const text =
    '/** True when it is there, which it is not. Whereabouts: none. */\nconst x = "What is this? // Of no use"\n'
  expect(sentencesOf(text).filter(hasNoSubject)).toEqual([])
})

test.each(FOLDERS)('every sentence in %s names its thing first', (folder) => {
  const sentences = [...filesIn(join(ROOT, folder))].flatMap((file) => {
    const read = READERS.find(([ending]) => ending.test(file))?.[1]
    return (read?.(readFileSync(file, 'utf8')) ?? []).map((sentence) => ({ file: relative(ROOT, file), sentence }))
  })
  expect(sentences).not.toEqual([])
  if (folder === 'src') expect(sentences.length).toBeGreaterThan(1000)
  expect(sentences.filter(({ sentence }) => hasNoSubject(sentence))).toEqual([])
})
