/** Rights of this server's pages: their own style and script, and requests to this server. */

const policies = new Map<string, Promise<string>>()

/** The Content-Security-Policy of a page with one style and nothing else. */
export function pagePolicy(style: string): Promise<string> {
  let policy = policies.get(style)
  if (policy === undefined) {
    policy = compose(style)
    policies.set(style, policy)
  }
  return policy
}

/** The policy of the page at /ui/ and of all its files, since a worker's script has a policy of its own. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The policy of answers that are no pages. */
export const NOTHING_POLICY = "default-src 'none'; frame-ancestors 'none'"

async function compose(style: string): Promise<string> {
  return [
    "default-src 'none'",
    `style-src '${await digestOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** https://www.w3.org/TR/CSP3/#grammardef-hash-source */
async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return `sha256-${btoa(String.fromCharCode(...digest))}`
}
