/** The script tag: the configuration that the server wrapped this file with, and where the others are. */
import type { SiteConfig } from '../wire.js'
import { attempt } from './attempt.js'
import { serve } from './serve.js'
import type { Signals } from './start.js'

/** Handed in by the server that served this file, in the same answer; so it is trusted as this file is. */
declare const avowSite: SiteConfig & { readonly base: string }

export function serveTag(signals?: Signals): void {
  attempt(() => {
    // A module has no current script, and an element named so in the page's markup stands in its place.
    const tag: unknown = document.currentScript
    const [base, nonce] =
      tag instanceof HTMLScriptElement ? [tag.src.split('/v1/sites/')[0]!, tag.nonce] : [avowSite.base, '']
    // Without a configuration this throws the variable's name, which is what has to be looked into.
    serve(avowSite, base, nonce, (file: 'ui' | 'settings' | 'account') => import(`${base}/${avowSite[file]}`), signals)
  })
}
