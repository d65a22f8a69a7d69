/** Rights of this server's pages: their own style and script, and requests to this server. */

const policies = new Map<string, Promise<string>>()

/** The Content-Security-Policy of a page with one style and, if it has any, one script. */
export function pagePolicy({ style, script }: { readonly style: string; readonly script?: string }): Promise<string> {
  const key = `${style}\n${script ?? ''}`
  let policy = policies.get(key)
  if (policy === undefined) {
    policy = compose(style, script)
    policies.set(key, policy)
  }
  return policy
}

/** The policy of answers that are no pages. */
export const NOTHING_POLICY = "default-src 'none'; frame-ancestors 'none'"

async function compose(style: string, script: string | undefined): Promise<string> {
  return [
    "default-src 'none'",
    `style-src '${await digestOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${await digestOf(script)}'`, "connect-src 'self'"]),
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
