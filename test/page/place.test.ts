/** Addresses: the view is in them, and comes back out of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressOf, FIRST_VIEW, type Place, placeOf, TABS } from '../../web/src/app/place.ts'

const back = (place: Place): Place => {
  const { pathname, search } = new URL(addressOf(place), 'http://server.test')
  return placeOf(pathname, search)
}

const rid = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,40}$/)
const text = fc.string({ unit: 'binary', maxLength: 20 }).map((each) => each.toWellFormed())
const name = fc.stringMatching(/^more[a-z]{1,8}$/)
const named = fc.dictionary(name, text, { maxKeys: 3, noNullPrototype: true })
const index = fc.integer({ min: 0, max: 10 ** 9 })

const view = fc.record({
  tab: fc.constantFrom(...TABS),
  vars: text,
  coords: fc.array(
    fc.tuple(
      text.filter((dim) => dim !== ''),
      fc.array(text, { minLength: 1, maxLength: 3 }),
    ),
    { maxLength: 3 },
  ),
  chains: fc
    .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 12 })
    .map((chains) => chains.sort((a, b) => a - b)),
  draws: fc.record({ start: index, stop: index }, { requiredKeys: [] }),
  warmup: fc.constantFrom('exclude' as const, 'include' as const),
  convention: fc.constantFrom('posterior' as const, 'arviz' as const),
  sel: fc.option(text, { nil: undefined }),
  more: named,
})

test('any view of a run comes back out of its address', () => {
  fc.assert(
    fc.property(rid, view, (id, seen) => {
      const place: Place = { screen: 'run', rid: id, view: seen }
      expect(back(place)).toEqual(place)
    }),
    { numRuns: 500 },
  )
})

test('the list and the comparison come back out of theirs', () => {
  fc.assert(
    fc.property(fc.array(rid, { minLength: 1, maxLength: 8 }), named, (runs, more) => {
      expect(back({ screen: 'compare', runs, more })).toEqual({ screen: 'compare', runs, more })
      const query = [...Object.entries(more), ...Object.entries(more)]
      expect(back({ screen: 'runs', query })).toEqual({ screen: 'runs', query })
    }),
  )
})

test('addresses are readable, and as the design has them', () => {
  const seen = {
    ...FIRST_VIEW,
    vars: '~theta',
    coords: [['school', ['A', 'C']] as const],
    chains: [0, 1, 2, 3, 7],
    sel: 'theta[A]',
  }
  const place: Place = { screen: 'run', rid: 'r-1', view: { ...seen, tab: 'variables', draws: { start: 500 } } }
  expect(addressOf(place)).toBe(
    '/ui/runs/r-1?tab=variables&vars=~theta&coords=school:A,C&chains=0-3,7&draws=500:&sel=theta[A]',
  )
  expect(addressOf({ screen: 'runs', query: [] })).toBe('/ui/')
  expect(addressOf({ screen: 'run', rid: 'r', view: FIRST_VIEW })).toBe('/ui/runs/r')
})

test.each([
  ['/ui/runs/r?tab=nonsense&chains=x,4-2,9999999999999&draws=a:b&warmup=7', FIRST_VIEW],
  ['/ui/runs/r?chains=2,0-1,1', { ...FIRST_VIEW, chains: [0, 1, 2] }],
  ['/ui/runs/r?coords=nothing', FIRST_VIEW],
  ['/ui/runs/r/', FIRST_VIEW],
])('what makes no sense in %s is left out', (address, expected) => {
  const { pathname, search } = new URL(address, 'http://server.test')
  expect(placeOf(pathname, search)).toEqual({ screen: 'run', rid: 'r', view: expected })
})

test.each(['/', '/ui/runs', '/ui/runs/a/b', '/uix', '/ui/nowhere'])('%s is nowhere', (path) => {
  expect(placeOf(path, '')).toEqual({ screen: 'nowhere', path })
})

test('a range of chains that is too long is cut, so that no address hangs the page', () => {
  const place = placeOf('/ui/runs/r', '?chains=0-9999999999')
  expect(place.screen === 'run' && place.view.chains.length).toBe(10_001)
})
