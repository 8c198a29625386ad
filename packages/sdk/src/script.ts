/** The script tag's entry: the configuration that the server put in front, the calls made before we came, one function. */
import { attempt } from './loader/attempt.js'
import { type Asked, type Avow, start } from './loader/start.js'
import type { SiteConfig } from './wire.js'

/** Put in front by the server that served this file, in the same answer; so it is trusted as this file is. */
declare const avowSite: SiteConfig

/** `window.avow('whenGranted', 'analytics', start)`; a page may define it beforehand as a queue of such calls. */
interface Call {
  (method: keyof Avow | keyof Asked, ...args: unknown[]): unknown
  q?: [keyof Avow, ...unknown[]][]
  /** True on ours. */
  on?: boolean
}

attempt(() => {
  const page = window as Window & { avow?: Call }
  const early = page.avow
  // Twice the tag: the first one serves.
  if (early?.on) return
  const { src, nonce } = document.currentScript as HTMLScriptElement
  const [base] = src.split('/v1/sites/') as [string]
  // Without a configuration this throws the variable's name, which is what has to be looked into.
  const methods = start(avowSite, base, nonce, (file: 'ui' | 'settings') => import(`${base}/${avowSite[file]}`))
  const call: Call = (method, ...args) =>
    attempt(() => {
      const own = methods[method as keyof Avow] as ((...args: unknown[]) => unknown) | undefined
      return own ? own(...args) : methods.ask(method as keyof Asked, ...args)
    })
  call.on = true
  page.avow = call
  for (const args of early?.q ?? []) call(...args)
})
