/** /openapi.json, generated from the routes, and /docs, which shows it without fetching anything from elsewhere. */
import { html, raw } from 'hono/html'
import { responseOf } from '../http/openapi/openapi-document.ts'
import type { OpenApi, OperationObject } from '../http/openapi/types.ts'
import { METHODS, type Operation, type Resources } from '../http/operation.ts'
import { pagePolicy } from '../http/page-policy.ts'

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
section { border-top: 1px solid #d0d7de; padding: .5rem 0 1rem } code { font-size: .95em }
h2 { font-size: 1.05rem; margin: .5rem 0 } .method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
table { border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } section { border-color: #30363d } }`

const getDocument: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: (c, { openApi }) => c.json(openApi()),
}

const getDocs: Operation = {
  needs: 'nothing',
  describe: 'hidden',
  handler: async (c, { openApi }) => {
    c.header('Content-Security-Policy', await pagePolicy(STYLE))
    return c.html(page(openApi()))
  },
}

interface Shown {
  readonly path: string
  readonly method: string
  readonly operation: OperationObject
}

function page(document: OpenApi) {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method): Shown[] => {
      const operation = item[method]
      return operation === undefined ? [] : [{ path, method, operation }]
    }),
  )
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${document.info.title}: HTTP API</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <h1>${document.info.title} ${document.info.version}</h1>
        <p>${document.info.summary} As a document: <a href="/openapi.json">/openapi.json</a>.</p>
        ${operations.map((shown) => section(document, shown))}
      </body>
    </html>`
}

function section({ components }: OpenApi, { path, method, operation }: Shown) {
  return html`<section>
    <h2><code><span class="method">${method.toUpperCase()}</span>${path}</code></h2>
    <p>${operation.summary}. ${operation.description}</p>
    <table>
      ${operation.parameters.map((parameter) => row(parameter.name, parameter.in, parameter.description))}
      ${Object.entries(operation.responses).map(([status, answer]) =>
        row(status, '', responseOf(components, answer).description),
      )}
    </table>
  </section>`
}

function row(name: string, place: string, description: string) {
  return html`<tr>
    <td><code>${name}</code></td>
    <td>${place}</td>
    <td>${description}</td>
  </tr>`
}

export const docsRoutes: Resources = {
  '/openapi.json': { get: getDocument },
  '/docs': { get: getDocs },
}
