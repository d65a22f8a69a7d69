/** How many keys and shares there may be, on D1: what has been read may change before it is written. */
import { env } from 'cloudflare:workers'
import { SqlControl } from '../../src/access/sql/control.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import { keyBounds } from '../tenants/key-bounds.ts'

keyBounds({ name: 'D1', open: () => new SqlControl(new D1Driver(env.DB)) })
