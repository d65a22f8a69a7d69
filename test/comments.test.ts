/** Comments in src/ name their thing first: no sentence opens with a clause, or with "of", in place of a noun. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const SOURCE = join(import.meta.dirname, '../src')

/** Words that open a clause in place of a noun. "When" and "while" open one of time, which a sentence may begin with. */
const OPENING =
  /^(?:what|who|whose|whom|whoever|whatever|whichever|whether|where|wherever|which|how|why|of|(?:by|to|for|from|with|in|on) (?:what|whom|which))\b/i

/** Doc comments, and blocks of `//`, that have lines of their own. */
const COMMENT = /^[ \t]*\/\*\*?[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm
/** Names of tags, and of the parameter that one describes: its text begins behind them. */
const TAG = /@(?:param [\w.]+|\w+)/g
const BETWEEN_SENTENCES = /\n\s*[-*] |\n\s*\n|(?<=[.!?:])\s+(?=[A-Z])/

/** Sentences of all comments of a text, each on one line. */
function sentencesOf(text: string): string[] {
  return [...text.matchAll(COMMENT)].flatMap(([comment]) => {
    const plain = comment.replace(/^[ \t]*(?:\/\*\*?|\*\/|\*|\/\/)[ \t]?|[ \t]*\*\/$/gm, '').replace(TAG, '\n\n')
    return plain.split(BETWEEN_SENTENCES).map((sentence) => sentence.trim().replaceAll(/\s+/g, ' '))
  })
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

test('left alone: names, strings, and clauses behind a noun', () => {
  const text =
    '/** True when it is there, which it is not. Whereabouts: none. */\nconst x = "What is this? // Of no use"\n'
  expect(sentencesOf(text).filter(hasNoSubject)).toEqual([])
})

test('every sentence names its thing first', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/(^|[\\/])generated[\\/]/.test(file),
  )
  const sentences = files.flatMap((file) =>
    sentencesOf(readFileSync(join(SOURCE, file), 'utf8')).map((sentence) => ({ file, sentence })),
  )
  expect(sentences.length).toBeGreaterThan(1000)
  expect(sentences.filter(({ sentence }) => hasNoSubject(sentence))).toEqual([])
})
