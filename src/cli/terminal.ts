/** Text of others on a terminal: it moves no cursor, changes no colour or direction, and takes no more room than it is given. */
import { oneLine } from '../core/log-text.ts'

/** Characters that take two columns (Unicode Standard Annex 11, the blocks that are wide throughout). */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const MARK = /\p{M}/u
const ASCII = /^[\x20-\x7e]*$/
/** Marks on one character that are shown: letters have a few, a tower of them covers the lines above. */
const MARKS = 2

/** Columns that a text takes, which holds nothing unseen. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

function columnsOf(character: string): number {
  if (MARK.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** The text in at most so many columns, with what is unseen written out. */
export function shown(text: string, most: number = Number.POSITIVE_INFINITY): string {
  const plain = oneLine(text)
  if (ASCII.test(plain) && plain.length <= most) return plain
  let [width, marks, kept] = [0, 0, '']
  for (const character of plain) {
    const columns = columnsOf(character)
    marks = columns === 0 ? marks + 1 : 0
    if (marks > MARKS) continue
    width += columns
    if (width > most) return `${shortened(kept, most - 1)}…`
    kept += character
  }
  return kept
}

function shortened(text: string, most: number): string {
  const characters = [...text]
  while (characters.length > 0 && widthOf(characters.join('')) > most) characters.pop()
  return characters.join('')
}

/** A text of several lines, each of which stays one. */
export function shownLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => shown(line))
    .join('\n')
}

/** The text filled up to so many columns. */
export function filled(text: string, columns: number, side: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, columns - widthOf(text)))
  return side === 'left' ? blanks + text : text + blanks
}
