/** Lines that read a run elsewhere: what they name stays a text in each language, and no key is among them. */
import { expect, test } from 'vitest'
import { linesToRead } from '../../web/src/screens/data/read-it.ts'

const RUN = { url: 'http://127.0.0.1:8787', rid: "it's", access: 'open', chains: [] } as const

function textOf(language: string, access: 'open' | 'keyed' = 'open', variable: string | undefined = 'tau'): string {
  return linesToRead({ ...RUN, access }, variable).find((each) => each.language === language)?.text ?? ''
}

const LANGUAGES = linesToRead(RUN, 'tau').map(({ language }) => language)

test.each(LANGUAGES)('%s names the server, and the key by its environment variable alone', (language) => {
  expect(textOf(language)).toContain('http://127.0.0.1:8787')
  expect(textOf(language)).not.toContain('MCB_TOKEN')
  expect(textOf(language, 'keyed')).toContain('MCB_TOKEN')
  expect(textOf(language, 'keyed')).not.toContain('mcb_')
})

test('an apostrophe ends no text of a shell', () => {
  const shell = textOf('curl', 'open', "a'b &c")
  for (const line of shell.trim().split('\n')) expect(line.split("'").length % 2).toBe(1)
  expect(shell).toContain("'http://127.0.0.1:8787/v1/runs/it%27s/chains/0/draws?var=a%27b%20%26c&start=-5'")
})

test('a run without variables has no draws to read as an example', () => {
  const lines = linesToRead(RUN, undefined)
  expect(lines.find(({ language }) => language === 'Python')?.text).not.toContain('get_draws')
  expect(lines.find(({ language }) => language === 'curl')?.text).toContain('/draws?start=-5')
})

test('quotes and what turns text around are escaped in each language', () => {
  const variable = 'x"\u202e\u{e0041}'
  expect(textOf('Python', 'open', variable)).toContain(String.raw`run.get_draws("x\"\u202e\U000e0041")`)
  expect(textOf('TypeScript', 'open', variable)).toContain(String.raw`chain.getDraws("x\"\u202e\u{000e0041}"`)
  expect(textOf('R', 'open', variable)).toContain('/draws?var=x%22%E2%80%AE%F3%A0%81%81"')
})
