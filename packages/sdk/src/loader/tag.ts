/** The script tag: the configuration that the server wrapped this file with, and where the others are. */
import type { SiteConfig } from '../wire.js'
import { attempt } from './attempt.js'
import { serve } from './serve.js'
import type { Signals } from './start.js'

/** Handed in by the server that served this file, in the same answer; so it is trusted as this file is. */
declare const avowSite: SiteConfig

export function serveTag(signals?: Signals): void {
  attempt(() => {
    // A module has no current script.
    const tag = (document.currentScript ?? document.querySelector('[src*="/v1/sites/"]')) as HTMLScriptElement
    const [base] = tag.src.split('/v1/sites/') as [string]
    // Without a configuration this throws the variable's name, which is what has to be looked into.
    serve(
      avowSite,
      base,
      tag.nonce,
      (file: 'ui' | 'settings' | 'account') => import(`${base}/${avowSite[file]}`),
      signals,
    )
  })
}
