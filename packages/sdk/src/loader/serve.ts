/** The page's one function, `avow`, which is only ever called; and the calls that were made before it was there. */
import type { SiteConfig } from '../wire.js'
import { attempt } from './attempt.js'
import { type Account, type Asked, type Avow, type Files, type Signals, start } from './start.js'

type Method = keyof Avow | keyof Asked | keyof Account

/** `window.avow('whenGranted', 'analytics', start)`; a page may define it beforehand as a queue of such calls. */
interface Call {
  (method: Method, ...args: unknown[]): unknown
  q?: Iterable<unknown>[]
  /** True on ours. */
  on?: boolean
}

export function serve(site: SiteConfig, base: string, nonce: string, files: Files, signals?: Signals): void {
  const page = window as Window & { avow?: Call }
  const early = page.avow
  // Twice the tag: the first one serves.
  if (early?.on === true) return
  const methods = start(site, base, nonce, files, signals)
  const call: Call = (method, ...args) =>
    attempt(() => {
      const own = methods[method as keyof Avow] as ((...args: unknown[]) => unknown) | undefined
      return own ? own(...args) : methods.ask(method as keyof Asked, ...args)
    })
  call.on = true
  page.avow = call
  early?.q?.forEach?.((args) => {
    attempt(() => call(...(args as [Method])))
  })
}
