/** Questions that stay asked: what is asked when, what is ended, and what is shown meanwhile. */
import { signal } from '@preact/signals'
import { expect, test } from 'vitest'
import { ApiProblem } from '../../web/src/api/http.ts'
import type { DrawsLink } from '../../web/src/draws/link.ts'
import type { Answer, Ask, Kind } from '../../web/src/draws/questions.ts'
import { StandingQuestion } from '../../web/src/run/use-draws.ts'

interface Waiting {
  readonly question: unknown
  readonly signal: AbortSignal | undefined
  answer(y: number): Promise<void>
  fail(error: unknown): Promise<void>
}

/** A link whose answers come when the test says so. */
class SlowLink implements DrawsLink {
  readonly asked: Waiting[] = []

  ask<K extends Kind>(_kind: K, question: Ask<K>, signal?: AbortSignal): Promise<Answer<K>> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer<K>>()
    const settled = promise.then(
      () => {},
      () => {},
    )
    this.asked.push({
      question,
      signal,
      answer: (y) => {
        resolve(Object.assign(Object.create(null), { x: Float64Array.of(y), y: Float64Array.of(y) }))
        return settled
      },
      fail: (error) => {
        reject(error)
        return settled
      },
    })
    return promise
  }

  at(place: number): Waiting {
    const found = this.asked[place]
    if (found === undefined) throw new Error(`question ${place} was not asked`)
    return found
  }

  grow(): void {}
  close(): void {}
}

const question = (name: string, points = 20): Ask<'essQuantile'> => ({
  scalar: { group: 'draws', name, element: 0 },
  choice: { warmup: 'exclude' },
  convention: 'posterior',
  points,
})

function open() {
  const link = new SlowLink()
  const [moment, draws] = [signal(1), signal<DrawsLink | undefined>(link)]
  const standing = new StandingQuestion({ moment, draws }, 'essQuantile')
  const stop = standing.begin()
  return { link, moment, draws, standing, stop, shown: () => standing.answered.value.answer?.y[0] }
}

test('a slow answer is followed by the newest, and never by a queue', async () => {
  const { link, moment, standing, shown } = open()
  standing.want(question('tau'))
  for (let i = 0; i < 5; i++) moment.value++
  expect(link.asked).toHaveLength(1)
  await link.at(0).answer(1)
  expect(shown()).toBe(1)
  expect(link.asked).toHaveLength(2)
  await link.at(1).answer(2)
  expect(shown()).toBe(2)
  expect(link.asked).toHaveLength(2)
})

test('an equal question is not asked again; another one ends the first, whose answer is dropped', async () => {
  const { link, standing, shown } = open()
  standing.want(question('tau'))
  standing.want(question('tau'))
  expect(link.asked).toHaveLength(1)
  standing.want(question('mu'))
  expect(link.at(0).signal?.aborted).toBe(true)
  await link.at(0).answer(1)
  expect(shown()).toBeUndefined()
  await link.at(1).answer(2)
  expect(shown()).toBe(2)
})

test('the last answer is kept while the same scalar is asked otherwise, and not for another scalar', async () => {
  const { link, standing, shown } = open()
  standing.want(question('tau'))
  await link.at(0).answer(1)
  standing.want(question('tau', 40))
  expect([shown(), standing.answered.value.asked?.points]).toEqual([1, 20])
  standing.want(question('mu', 40))
  expect(shown()).toBeUndefined()
})

test('an error is told in words, beside the answer from before', async () => {
  const { link, moment, standing, shown } = open()
  standing.want(question('tau'))
  await link.at(0).answer(1)
  moment.value++
  await link.at(1).fail(new Error('too large: choose fewer chains'))
  expect(standing.answered.value).toMatchObject({ error: 'too large: choose fewer chains', isAsking: false })
  expect(shown()).toBe(1)
  moment.value++
  await link.at(2).answer(3)
  expect(standing.answered.value.error).toBeUndefined()
})

test('a server that is away is asked again by itself', async () => {
  const { link, standing, stop } = open()
  standing.want(question('tau'))
  await link.at(0).fail(new ApiProblem(0, 'away', 'the server does not answer'))
  expect(standing.answered.value.error).toBe('The server does not answer at the moment.')
  await expect.poll(() => link.asked.length, { timeout: 10_000 }).toBe(2)
  stop()
  expect(link.at(1).signal?.aborted).toBe(true)
})

test('nothing is asked before the draws are open, nor after the end', () => {
  const { link, draws, moment, standing, stop } = open()
  draws.value = undefined
  standing.want(question('tau'))
  expect(link.asked).toHaveLength(0)
  draws.value = link
  expect(link.asked).toHaveLength(1)
  stop()
  moment.value++
  expect(link.asked).toHaveLength(1)
})
