/** Pages and comments cite what is there: other pages, their headings, sections of the protocol, files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Folders of dependencies, of data, and of generated files. */
const LEFT_OUT = /^(\..+|node_modules|venv|build|dist|coverage|__pycache__|data(-.*)?|generated|_generated)$/
const CODE = /\.(ts|mjs|py|sql|proto|toml|json)$/

/** Paths below the root, from there. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (LEFT_OUT.test(entry.name) || entry.name === 'package-lock.json') return []
    return entry.isDirectory() ? filesIn(path) : [path]
  })
}

const FILES = filesIn('')
const PAGES = FILES.filter((path) => path.endsWith('.md'))
const SOURCES = FILES.filter((path) => CODE.test(path) && !path.startsWith('conformance/golden/files/'))

const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const withoutUrls = (text: string): string => text.replace(/\bhttps?:\/\/\S+/g, '')
const withoutFences = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '')
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([all, first]) => first ?? all)

/** As GitHub names headings. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const heading of matches(withoutFences(textOf(page)), /^#+ (.+)$/gm)) {
    const plain = heading.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const anchor = plain.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
    let name = anchor
    for (let again = 1; anchors.has(name); again++) name = `${anchor}-${again}`
    anchors.add(name)
  }
  return anchors
}

/** A path as a comment has it: from the root, from src/, or from a folder around the file. */
function isThere(cited: string, from: string): boolean {
  const bases = ['', 'src']
  for (let folder = dirname(from); folder !== '.'; folder = dirname(folder)) bases.push(folder)
  return bases.some((base) => existsSync(join(ROOT, base, cited)))
}

/** Cited files that are not there, each with the file that cites it. */
function missing(files: readonly string[], cited: (text: string) => string[]): string[] {
  return files.flatMap((path) =>
    cited(withoutUrls(textOf(path)))
      .filter((target) => !isThere(target, path))
      .map((target) => `${path}: ${target}`),
  )
}

test('links between pages lead to pages and headings', () => {
  const broken: string[] = []
  for (const page of PAGES) {
    const text = withoutFences(textOf(page)).replace(/`[^`]*`/g, '')
    for (const link of matches(text, /\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), decodeURI(path))
      const isBroken = !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor))
      if (isBroken) broken.push(`${page}: ${link}`)
    }
  }
  expect(PAGES.length).toBeGreaterThan(15)
  expect(broken).toEqual([])
})

/** Lines of comments; of Python's long strings the first, which is where they cite something. */
const commentsIn = (text: string): string => matches(text, /^\s*(?:\/?\*|\/\/|#|--|""").*$/gm).join('\n')

test('pages that code and comments cite are there', () => {
  const withFolder = (text: string) => matches(text, /(?<![\w./-])(?:[\w-]+\/)+[\w-]+\.md\b/g)
  const alone = (text: string) => matches(commentsIn(text), /(?<![\w./-])[\w-]+\.md\b/g)
  expect(missing(SOURCES, (text) => [...withFolder(text), ...alone(text)])).toEqual([])
})

test('files that pages and comments cite are there', () => {
  const inBackticks = (text: string) =>
    matches(text, /`((?:src|test|bench|scripts|clients|conformance|protobufs|tools|examples|bin|docs)\/[\w./-]*)`/g)
  const inComments = (text: string) =>
    matches(commentsIn(text), /(?<![\w./*-])(?:[\w-]+\/)+[\w-]+\.(?:ts|mjs|py|proto)\b/g)
  expect(missing(PAGES, (text) => inBackticks(withoutFences(text)))).toEqual([])
  expect(missing(SOURCES, inComments)).toEqual([])
})

test('sections of the protocol that are cited are there', () => {
  const sections = new Set<number>()
  for (const [, first, last = first] of textOf('docs/protocol.md').matchAll(/^## (\d+)(?: to (\d+))?\. /gm)) {
    for (let section = Number(first); section <= Number(last); section++) sections.add(section)
  }
  const cited = SOURCES.flatMap((path) =>
    matches(textOf(path), /\bprotocol\.md §(\d+)/g).map((section) => ({ path, section: Number(section) })),
  )
  expect(cited.length).toBeGreaterThan(0)
  expect(cited.filter(({ section }) => !sections.has(section))).toEqual([])
})
