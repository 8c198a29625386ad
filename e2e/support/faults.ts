/** What goes wrong between a page and its server, as a story says, route by route; and a list of all that arrived. */
import type { IncomingHttpHeaders } from 'node:http'

const patterns = {
  loader: /\/v1\/sites\/[^/]+\/avow\.js$/,
  config: /\/v1\/sites\/[^/]+\/config$/,
  notice: /\/v1\/sites\/[^/]+\/notice$/,
  ui: /\/avow-ui\.[^/]+\.js$/,
  settings: /\/avow-settings\.[^/]+\.js$/,
  account: /\/avow-account\.[^/]+\.js$/,
  pinned: /\/avow\.\d[^/]*\.js$/,
  consents: /\/v1\/consents$/,
  activity: /\/v1\/activity$/,
  state: /\/v1\/state$/,
} as const

export type Route = keyof typeof patterns

export const routeOf = (path: string): Route | null =>
  (Object.keys(patterns) as Route[]).find((route) => patterns[route].test(path)) ?? null

/**
 * Instead of what should happen: another answer; `reset`: the connection breaks; `hang`: nobody ever answers; `lost`: all of it
 * is done, and the connection breaks before the answer.
 */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | 'reset'
  | 'hang'
  | 'lost'

/** A request, or its answer, that waits until the story lets it go. */
export interface Held {
  /** Fulfils when the first has come as far as it may. */
  readonly arrived: Promise<void>
  /** Lets go what waits, and all that comes later. */
  release(): void
}

/** One request as it arrived. Preflights are not listed, and meet no faults. */
export interface Arrival {
  readonly route: Route | null
  readonly method: string
  readonly host: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** By this process's `performance.now()`. */
  readonly atMs: number
  /** When it was answered, or its connection was gone; null while neither. */
  doneMs: number | null
  /** Cookies that the answer set, as it set them. */
  readonly setCookie: readonly string[]
  /** Of the answer, as it was sent; null while there is none, or where it was never sent. */
  status: number | null
}

interface Gate {
  readonly side: 'request' | 'answer'
  readonly open: Promise<void>
  readonly arrive: () => void
}

export class Faults {
  readonly arrivals: Arrival[] = []
  /** Routes that ever had a fault; what the browser says of failing requests to them is the story's own doing. */
  readonly touched = new Set<Route>()
  readonly #faults = new Map<Route, { fault: Fault; left: number }>()
  readonly #gates = new Map<Route, Gate>()

  /** From now on, or for so many requests, the route fails. The newest word counts. */
  set(route: Route | readonly Route[], fault: Fault, times = Number.POSITIVE_INFINITY): void {
    for (const one of [route].flat() as Route[]) {
      this.touched.add(one)
      this.#faults.set(one, { fault, left: times })
    }
  }

  /** The route works again; all do where none is named. */
  clear(...routes: readonly Route[]): void {
    for (const one of routes.length ? routes : [...this.#faults.keys()]) this.#faults.delete(one)
  }

  /** Holds requests before the server sees them, or answers after it has done all it does. */
  hold(route: Route, side: Gate['side'] = 'request'): Held {
    this.touched.add(route)
    let release = () => {}
    let arrive = () => {}
    const open = new Promise<void>((resolve) => {
      release = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const gate = { side, open, arrive }
    this.#gates.set(route, gate)
    return {
      arrived,
      release: () => {
        if (this.#gates.get(route) === gate) this.#gates.delete(route)
        release()
      },
    }
  }

  /** A story breaks the route by other means than these, such as a network that is gone. */
  excuse(...routes: readonly Route[]): void {
    for (const one of routes) this.touched.add(one)
  }

  /** What has arrived at a route, oldest first. */
  at(route: Route): readonly Arrival[] {
    return this.arrivals.filter((one) => one.route === route)
  }

  /** For whoever serves: the fault that the next request to this route meets. */
  take(route: Route): Fault | null {
    const found = this.#faults.get(route)
    if (!found || found.left <= 0) return null
    found.left--
    return found.fault
  }

  /** For whoever serves: fulfils when it may go on. */
  async pass(route: Route, side: Gate['side']): Promise<void> {
    const gate = this.#gates.get(route)
    if (gate?.side !== side) return
    gate.arrive()
    await gate.open
  }
}
