/**
 * The script tag's other entry: one file with all of it inside, which never changes under its name, so that a page can pin
 * it by hash (`integrity`). What the site says is told by attributes of the tag: `data-site`, then its server is asked, at
 * `data-base` or where this file came from; or `data-config`, JSON or `#id` of a script that holds it, and no server.
 */
import * as account from './decide/identify.js'
import { attempt } from './loader/attempt.js'
import { parseSite } from './loader/config.js'
import { serve } from './loader/serve.js'
import { tellSignals } from './loader/signals.js'
import type { Files } from './loader/start.js'
import { wordsOf } from './loader/words.js'
import * as ui from './ui/mount.js'
import * as settings from './ui/settings/mount.js'
import type { SiteConfig } from './wire.js'

const inside = { ui, settings, account }
const files = (async (file: keyof typeof inside) => inside[file]) as Files

function run(site: SiteConfig, base: string, nonce: string): void {
  serve(site, base, nonce, files, tellSignals)
  if (site.button) (window as { avow?: (method: 'button') => void }).avow?.('button')
}

attempt(() => {
  const tag = document.currentScript as HTMLScriptElement
  const { site, config, base } = tag.dataset
  if (config) {
    const text = config.startsWith('#') ? document.querySelector(config)!.textContent! : config
    const own = parseSite(JSON.parse(text))
    files.words = wordsOf(own)
    run(own, '', tag.nonce)
    return
  }
  const address = base ?? new URL('.', tag.src).href.slice(0, -1)
  fetch(`${address}/v1/sites/${site}/config`)
    .then((answer) => answer.json())
    .then((answer) => run(parseSite(answer), address, tag.nonce))
    // Without its configuration nothing is granted and nobody is asked; the page runs on.
    .catch((problem) => console.error('avow:', problem))
})
