/** /ui/: the page at which people look at runs, and the ways that lead there. */
import { html } from 'hono/html'
import { McbError } from '../core/errors.ts'
import { withoutKeys } from '../core/redaction.ts'
import { chooseCoding } from '../http/coding.ts'
import type { AppContext } from '../http/context.ts'
import { matchesETag } from '../http/negotiate.ts'
import type { Operation, Resources } from '../http/operation.ts'
import type { PageFile } from '../http/page-files.ts'
import { ASSETS, PAGE_PLACE, pageHeaders } from '../http/page-headers.ts'
import { ridParam } from '../http/params.ts'

const INDEX = 'index.html'

const getPage: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: async (c, { page = () => undefined }) => {
    const name = c.req.path.slice(PAGE_PLACE.length)
    const file = await page(name)
    if (file !== undefined) return send(c, name, file)
    if (name.startsWith(ASSETS)) {
      // During a deployment a page may ask for the files of another version: it learns of that, and loads itself anew.
      throw new McbError(
        'not_found',
        `the page has no file "${name}"; it may be of another version, so load ${PAGE_PLACE} again`,
      )
    }
    const index = await page(INDEX)
    return index === undefined ? notBuilt(c) : send(c, INDEX, index)
  },
}

function send(c: AppContext, name: string, { type, digest, body, coded }: PageFile): Response {
  const coding = chooseCoding(c.req.header('Accept-Encoding'), (wanted) => coded.has(wanted))
  const sent = (coding && coded.get(coding)) ?? body
  const etag = coding === undefined ? `"${digest}"` : `"${digest}-${coding}"`
  // Set, not given to the body: what a middleware has set before would win over that.
  for (const [header, value] of Object.entries(pageHeaders(name))) c.header(header, value)
  c.header('Vary', 'Accept-Encoding')
  c.header('ETag', etag)
  if (matchesETag(c, etag)) return c.body(null, 304)
  c.header('Content-Type', type)
  c.header('Content-Length', String(sent.length))
  if (coding !== undefined) c.header('Content-Encoding', coding)
  return c.req.method === 'HEAD' ? c.body(null, 200) : c.body(sent, 200)
}

function notBuilt(c: AppContext): Response | Promise<Response> {
  c.header('Cache-Control', 'no-store')
  const text = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>McBackend Edge: the page is not built</title>
      </head>
      <body>
        <h1>The page is not built</h1>
        <p>
          This server runs without its page. Build it with <code>npm run page</code> and start the server again;
          <code>npm start</code> does both.
        </p>
        <p>The API works: <a href="/docs">/docs</a> lists its routes.</p>
      </body>
    </html>`
  return c.html(text, 503)
}

const leadToPage: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: (c) => c.redirect(PAGE_PLACE, 308),
}

/** Links of shares; browsers keep the key behind their #. */
const leadToRun: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: (c) => {
    const rid = ridParam(c)
    // A key in the path is not repeated; the page finds the run of a share's key by itself.
    return c.redirect(withoutKeys(rid) === rid ? `${PAGE_PLACE}runs/${rid}` : PAGE_PLACE, 308)
  },
}

export const pageRoutes: Resources = {
  '/ui': { get: leadToPage },
  '/ui/*': { get: getPage },
  '/shared/:rid': { get: leadToRun },
}
