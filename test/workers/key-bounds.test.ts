/** How many keys and shares there may be, on D1: what has been read may change before it is written. */
import { env } from 'cloudflare:workers'
import { D1Driver } from '../../src/backends/sqlite/d1.ts'
import { SqlControl } from '../../src/control/sql.ts'
import { keyBounds } from '../tenants/key-bounds.ts'

keyBounds({ name: 'D1', open: () => new SqlControl(new D1Driver(env.DB)) })
