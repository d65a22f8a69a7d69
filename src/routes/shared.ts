/**
 * /shared/{rid}: the page that a share's link opens. It takes the key from the link's fragment, which the browser keeps to
 * itself, and shows the run as it grows, and the way to read it.
 */
import { html, raw } from 'hono/html'
import { KEY_PATTERN } from '../access/key-format.ts'
import { withoutKeys } from '../core/redaction.ts'
import type { Operation, Resources } from '../http/operation.ts'
import { pagePolicy } from '../http/page-policy.ts'
import { ridParam } from '../http/params.ts'

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { text-align: left; padding: .1rem 1.5rem .1rem 0 }
pre { background: #f6f8fa; padding: .75rem; overflow-x: auto } .error { color: #b42318 }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 } }`

/** Script of the page. It never shows the text behind the #: people show the page to others, and paste wrong texts. */
const SCRIPT = `
const key = location.hash.slice(1), run = '/v1/runs/' + location.pathname.split('/').pop()
const headers = { Authorization: 'Bearer ' + key, Accept: 'application/json' }
const at = (id) => document.getElementById(id)
async function get(path) {
  const answer = await fetch(path, { headers, cache: 'no-store' })
  const body = await answer.json()
  if (!answer.ok) throw new Error(body.detail)
  return body
}
function table(id, heads, rows) {
  const lines = [heads, ...rows].map((cells, i) => {
    const line = document.createElement('tr')
    line.append(...cells.map((text) => Object.assign(document.createElement(i ? 'td' : 'th'), { textContent: text })))
    return line
  })
  at(id).replaceChildren(...lines)
}
const shape = (v) => v.undefinedNdim ? 'varies' : '[' + (v.shape ?? []).map((n) => n === '-1' ? '?' : n).join(', ') + ']'
async function look() {
  const { chains } = await get(run + '/chains')
  table('chains', ['chain', 'draws', 'last written'],
    chains.map((c) => [c.chain, c.length, new Date(c.updatedAt).toLocaleString()]))
}
async function show() {
  if (!key) throw new Error('This link lacks its key, the part behind #. Ask for the whole link.')
  if (!/${KEY_PATTERN}/.test(key)) throw new Error('The part of this link behind # is no key, or not a whole one. Ask for the link again.')
  const meta = await get(run)
  const kinds = [['variable', meta.variables], ['sampler stat', meta.sampleStats]]
  table('variables', ['name', 'kind', 'dtype', 'shape'],
    kinds.flatMap(([kind, list]) => (list ?? []).map((v) => [v.name, kind, v.dtype, shape(v)])))
  at('curl').textContent = 'curl -H "Authorization: Bearer $KEY" -H "Accept: application/json" \\\\\\n  ' + "'" +
    location.origin + run + "/chains/0/draws?start=-10'"
  at('main').hidden = false
  await look()
  setInterval(() => look().catch(fail), 5000)
}
function fail(error) { at('error').textContent = error.message }
show().catch(fail)`

const getShared: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: async (c) => {
    const rid = ridParam(c)
    c.header('Content-Security-Policy', await pagePolicy({ style: STYLE, script: SCRIPT }))
    return c.html(page(rid))
  },
}

function page(name: string) {
  const rid = withoutKeys(name)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${rid}: shared draws</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <h1>${rid}</h1>
        <p class="error" id="error"></p>
        <div id="main" hidden>
          <p>A run of a Markov-chain Monte Carlo sampler that was shared with you. It is shown as it grows.</p>
          <table id="chains"></table>
          <table id="variables"></table>
          <p>The last ten draws of chain 0, as JSON, where KEY is the part of this page's link behind the #:</p>
          <pre id="curl"></pre>
        </div>
        ${raw(`<script>${SCRIPT}</script>`)}
      </body>
    </html>`
}

export const sharedRoutes: Resources = {
  '/shared/:rid': { get: getShared },
}
