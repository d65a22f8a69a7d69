/** /openapi.json as one document: the descriptions of the routes, and all that belongs to none of them. */
import { METHODS, type Resources } from '../operation.ts'
import { described, problemsOfOperation } from './described.ts'
import { HEADERS } from './described-headers.ts'
import { headOf, withHeadResponses } from './head-operations.ts'
import { PROBLEM_RESPONSES, type Problem, problemSchemas } from './problems.ts'
import { SCHEMAS } from './schemas.ts'
import type { OpenApi, OperationObject, Reference, ResponseObject, SecurityScheme } from './types.ts'

const SUMMARY = 'Keeps the draws of Markov-chain Monte Carlo runs, and gives any slice of any chain back by run id.'

const DESCRIPTION = `- Protobuf bodies are \`application/x-protobuf\` or \`application/protobuf\`, plain or gzip. RunMeta and draws are answered as
  protobuf unless \`Accept\` prefers \`application/json\`. Answers that are only JSON, and errors, ignore \`Accept\`.
- JSON answers are compressed for those who ask for it with \`Accept-Encoding\`; draws are not.
- An error is \`application/problem+json\` with a stable \`code\`. What is at no path is 404 \`not_found\`; a method that a path
  does not know is 405 \`method_not_allowed\` with \`Allow\`.
- Every answer carries \`X-Request-Id\`, \`Cache-Control: private, no-cache\` and \`Vary: Accept, Authorization\`.
- A share key reads its run without a header at \`/s/{shareKey}/…\`, which stands for \`/v1/runs/{rid}/…\` with GET and HEAD.
- A server without keys lets everybody in as the one tenant \`local\`, and answers 403 \`forbidden\` where tenants and keys are managed.`

const TAGS = [
  { name: 'Health', description: 'Whether the server works' },
  { name: 'Runs', description: 'Metadata of runs: what a sampler declares before it samples' },
  { name: 'Chains', description: 'The chains of a run, and how long they are' },
  { name: 'Draws', description: 'Iterations of a chain: batches in, slices out' },
  { name: 'Diagnostics', description: 'Figures and pictures of the draws, and how far they can be trusted' },
  { name: 'Doors', description: 'Runs in the forms of other tools, without a client' },
  { name: 'Keys', description: 'Keys of a tenant, and links that share a run' },
  { name: 'Tenants', description: 'What the operator of a server does' },
]

const SECURITY: Readonly<Record<string, SecurityScheme>> = {
  key: { type: 'http', scheme: 'bearer', description: 'A key of a tenant: mcb_…' },
  basic: { type: 'http', scheme: 'basic', description: 'The same key as the password of any user' },
  operator: { type: 'http', scheme: 'bearer', description: "The operator's token, MCB_OPERATOR_TOKEN" },
}

export function openApiOf(resources: Resources, version: string): OpenApi {
  return {
    openapi: '3.1.0',
    info: {
      title: 'McBackend Edge',
      version,
      summary: SUMMARY,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: '/', description: 'The server that gave this document' },
      { url: 'http://127.0.0.1:8787', description: 'npm start, on this machine' },
    ],
    tags: TAGS,
    paths: Object.fromEntries(
      Object.entries(resources).flatMap(([path, operations]) => {
        const item = itemOf(path, operations)
        return Object.keys(item).length === 0 ? [] : [[path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}'), item]]
      }),
    ),
    components: {
      securitySchemes: SECURITY,
      headers: HEADERS,
      responses: withHeadResponses(PROBLEM_RESPONSES),
      schemas: { ...SCHEMAS, ...problemSchemas(problemsIn(resources)) },
    },
  }
}

/** The operations of a path that are shown; HEAD works where GET does. */
function itemOf(path: string, operations: Resources[string]): Record<string, OperationObject> {
  const shown = METHODS.flatMap((method) => {
    const operation = operations[method]
    const object = operation && described(path, method, operation)
    return object === undefined ? [] : [[method, object] as const]
  })
  const item = Object.fromEntries(shown)
  return item.get === undefined ? item : { ...item, head: headOf(item.get) }
}

function problemsIn(resources: Resources): readonly Problem[] {
  return Object.entries(resources).flatMap(([path, operations]) =>
    METHODS.flatMap((method) => {
      const operation = operations[method]
      return operation === undefined ? [] : problemsOfOperation(path, method, operation)
    }),
  )
}

/** An answer, wherever it stands in the document. */
export function responseOf({ responses }: OpenApi['components'], answer: ResponseObject | Reference): ResponseObject {
  if (!('$ref' in answer)) return answer
  const found = responses[answer.$ref.slice(answer.$ref.lastIndexOf('/') + 1)]
  if (found === undefined) throw new Error(`the document has no ${answer.$ref}`)
  return found
}
