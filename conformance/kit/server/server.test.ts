/** Every topic at the server that was named (run.ts beside it hands its address over). */
import { describe, inject, test } from 'vitest'
import { TOPICS } from './index.ts'
import { keys } from './keys.ts'
import { remoteSubject } from './remote.ts'

const { server: url, token, every, only, whyNoKeys } = inject('server')
const server = remoteSubject({ url, token }, every)
const isWanted = (topic: string) => only.length === 0 || only.includes(topic)

describe('server', () => {
  for (const [topic, define] of Object.entries(TOPICS)) {
    if (isWanted(topic)) describe(topic, () => define(server))
  }
  if (isWanted('keys')) {
    describe('keys', () => {
      if (token !== undefined && whyNoKeys === undefined) keys(server, { url, token })
      else test('a server that asks for keys', ({ skip }) => skip(whyNoKeys ?? 'no --token was given'))
    })
  }
})
