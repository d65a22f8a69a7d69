/** Keys or none, as the environment of a server says. */

export interface AccessVariables {
  readonly MCB_AUTH?: string | undefined
  readonly MCB_OPERATOR_TOKEN?: string | undefined
  readonly MCB_CORS_ORIGINS?: string | undefined
  readonly MCB_PUBLIC_URL?: string | undefined
  readonly MCB_HOSTS?: string | undefined
}

export interface AccessSettings {
  /** The operator's token; absent in open mode. */
  readonly operatorToken?: string
  readonly origins: readonly string[]
  readonly publicUrl?: string
  /** Names under which a server in open mode is reached, beside addresses, those of loopback and that of `publicUrl`. */
  readonly hosts?: readonly string[]
}

/** Characters of an operator's token: 128 random bits in hex. */
const LEAST_TOKEN = 32

/**
 * @param reach callers that can reach the server when nothing is said: keys are left out only where it is this machine alone
 * @throws Error with one sentence that says what to set
 */
export function accessSettings(variables: AccessVariables, reach: 'this machine' | 'others'): AccessSettings {
  const { MCB_AUTH: mode = reach === 'this machine' ? 'open' : 'keys', MCB_OPERATOR_TOKEN: token = '' } = variables
  if (mode !== 'open' && mode !== 'keys') throw new Error(`MCB_AUTH must be open or keys, not "${mode}".`)
  if (mode === 'keys' && !/^[\x21-\x7e]+$/.test(token)) {
    throw new Error(
      token === ''
        ? 'MCB_OPERATOR_TOKEN is not set: set it to a long random secret, as "openssl rand -hex 32" prints one, or MCB_AUTH=open for a server without keys.'
        : 'MCB_OPERATOR_TOKEN must be visible ASCII without spaces; "openssl rand -hex 32" prints a good one.',
    )
  }
  if (mode === 'keys' && token.length < LEAST_TOKEN) {
    throw new Error(
      `MCB_OPERATOR_TOKEN must have at least ${LEAST_TOKEN} characters, since whoever guesses it has everything; "openssl rand -hex 32" prints a good one.`,
    )
  }
  const publicUrl = addressIn(variables.MCB_PUBLIC_URL)
  const hosts = hostsIn(variables.MCB_HOSTS)
  return {
    origins: originsIn(variables.MCB_CORS_ORIGINS),
    ...(mode === 'keys' ? { operatorToken: token } : { hosts }),
    ...(publicUrl !== undefined && { publicUrl }),
  }
}

/** True for a host of loopback: 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function originsIn(text = ''): string[] {
  const origins = text.split(',').map((origin) => origin.trim())
  for (const origin of origins) {
    if (origin === '' || origin === '*' || parsed(origin)?.origin === origin) continue
    throw new Error(`MCB_CORS_ORIGINS must be origins as https://notebooks.example.org, or *, not "${origin}".`)
  }
  return origins.filter((origin) => origin !== '')
}

const NAME = /^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.?$/u

function hostsIn(text = ''): string[] {
  const names = text.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  return names.map((name) => {
    // As browsers send it: in lower case, and letters beyond ASCII as `xn--…`.
    const url = NAME.test(name) ? parsed(`http://${name}/`) : undefined
    if (url !== undefined) return url.hostname.replace(/\.$/, '')
    throw new Error(
      `MCB_HOSTS must be host names as draws.example.org, with commas between and without ports, not "${name}".`,
    )
  })
}

function addressIn(text = ''): string | undefined {
  if (text === '') return undefined
  const url = parsed(text)
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return text.replace(/\/+$/, '')
  throw new Error(`MCB_PUBLIC_URL must be an address as https://draws.example.org, not "${text}".`)
}

function parsed(text: string): URL | undefined {
  return URL.parse(text) ?? undefined
}
