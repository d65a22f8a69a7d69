/** Bounds of keys and shares on D1, where a count may change between reading and writing. */
import { env } from 'cloudflare:workers'
import { SqlControl } from '../../src/access/sql/sql-control.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import { keyBounds } from '../tenants/key-bounds.ts'

keyBounds({ name: 'D1', open: () => new SqlControl(new D1Driver(env.DB)) })
