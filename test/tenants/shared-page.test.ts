/** The script of the page that a share's link opens: it works, and shows nothing of the text behind the #. */
import { createContext, runInContext } from 'node:vm'
import { expect, test } from 'vitest'
import { jsonOf } from '../http/api.ts'
import { newLab, newRun, newWorld, type World } from './world.ts'

/** As much of a page as the script uses. `shown` gives all text that it has put anywhere. */
class Element {
  hidden = true
  textContent = ''
  children: Element[] = []

  append(...children: Element[]) {
    this.children.push(...children)
  }

  replaceChildren(...children: Element[]) {
    this.children = children
  }

  shown(): string {
    return [this.textContent, ...this.children.map((child) => child.shown())].join(' ')
  }
}

async function open(world: World, path: string, hash: string): Promise<{ error: string; all: string }> {
  const page = await (await world.api.get(path)).text()
  const script = /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? ''
  const elements = new Map<string, Element>()
  const getElementById = (id: string) => {
    const element = elements.get(id) ?? new Element()
    elements.set(id, element)
    return element
  }
  let asked = 0
  const context = createContext({
    location: { hash: `#${hash}`, pathname: path, origin: 'https://draws.example.org' },
    document: { getElementById, createElement: () => new Element() },
    fetch: async (target: string, init: RequestInit) => {
      asked++
      // The platform's own Headers, which refuse what no header can carry.
      return world.api.request('GET', target, { headers: Object.fromEntries(new Headers(init.headers)) })
    },
    setInterval: () => asked++,
  })
  runInContext(script, context)
  await expect.poll(() => getElementById('error').textContent !== '' || !getElementById('main').hidden).toBe(true)
  await expect.poll(() => asked === 0 || asked >= 3 || getElementById('error').textContent !== '').toBe(true)
  return {
    error: getElementById('error').textContent,
    all: page + [...elements.values()].map((e) => e.shown()).join(' '),
  }
}

test('it shows the run, and how to read it, without the key', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  const { key } = await jsonOf(await world.call(admin, 'POST', '/v1/runs/r/shares', {}))
  const { error, all } = await open(world, '/shared/r', key)
  expect(error).toBe('')
  expect(all).toContain('float64')
  expect(all).toContain(`curl -H "Authorization: Bearer $KEY" -H "Accept: application/json" \\\n  'https://draws.`)
  expect(all).not.toContain(key.slice(-20))
})

test.each([
  ['a word', 'correct-horse-battery'],
  ['letters that no header can carry', 'correct-horse-\u{1f511}-battery'],
  ['a line', 'correct-horse%0Abattery'],
  ['markup', '<b>correct-horse</b>'],
])('a fragment that is no key is not sent, and not shown: %s', async (_, fragment) => {
  const world = newWorld()
  const { error, all } = await open(world, '/shared/r', fragment)
  expect(error).toContain('Ask for the link again')
  expect(all).not.toContain('correct-horse')
})

test('a key that is unknown, and one in the path, are not shown either', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  const unknown = `${admin.slice(0, -1)}${admin.endsWith('A') ? 'B' : 'A'}`
  const { error, all } = await open(world, '/shared/r', unknown)
  expect(error).toContain('not known')
  expect(all).not.toContain(unknown.slice(-20))
  expect((await open(world, `/shared/${admin}`, admin)).all).not.toContain(admin.slice(-20))
})
