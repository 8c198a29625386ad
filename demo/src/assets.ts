/** The dashboard's own files, read once at start. */
import { readFileSync } from 'node:fs'

export interface Asset {
  readonly body: string
  readonly type: string
}

const types = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml' }

/** `base` is the folder of the built server: its `web` holds the built scripts, and `assets` lies beside it. */
export function readAssets(base: URL): ReadonlyMap<string, Asset> {
  const read = (path: string, type: string): Asset => ({ body: readFileSync(new URL(path, base), 'utf8'), type })
  return new Map([
    ['dashboard.css', read('../assets/dashboard.css', types.css)],
    ['gallery.css', read('../assets/gallery.css', types.css)],
    ['icon.svg', read('../assets/icon.svg', types.svg)],
    ['dashboard.js', read('./web/dashboard.js', types.js)],
    ['privacy.js', read('./web/privacy.js', types.js)],
    ['analytics.js', read('./web/analytics.js', types.js)],
  ])
}
