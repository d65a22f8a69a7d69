/** The observer of requests, which a platform may bring for its figures; it knows routes by their patterns alone. */

export interface RouteMeter {
  /** Counts a request whose answer begins, `seconds` after the request came. */
  answered(method: string, status: number, seconds: number): void
}

/** Figures as text, for programs that gather them. */
export interface Exposition {
  readonly type: string
  readonly text: string
}

export interface Meter {
  /** Meter of one route, by its pattern. It is asked for once a route, before there are requests. */
  route(pattern: string): RouteMeter
  exposition(): Promise<Exposition>
}

/** Pattern for requests that reach no route: unknown paths, foreign hosts, preflights of CORS. */
export const NO_ROUTE = 'none'
