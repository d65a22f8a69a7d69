/** The conformance suite on D1, in workerd. */
import { conformance } from '../conformance/index.ts'
import { countRows, openBackend } from './local.ts'

conformance({
  name: 'D1',
  keepsDraws: true,
  scale: 0.1,
  open: async () => ({ backend: openBackend(), other: openBackend(), countRows, close: async () => {} }),
})
