/** What tests of the SDK have in common: a site, a decision, a jar. */
import type { Decision } from './loader/cookie.js'
import type { Jar } from './loader/jar.js'
import type { SiteConfig } from './wire.js'

export const site: SiteConfig = {
  site: 'fr-apiaas',
  policy: { version: '2026-04', hash: 'h' },
  accepts: ['2026-04'],
  categories: ['analytics'],
  cookies: [],
  languages: ['en'],
  inactivityDays: 30,
  maxAgeDays: 180,
  ui: 'avow-ui.0123456789.js',
  settings: 'avow-settings.0.js',
  account: 'avow-account.0.js',
}

export const secret = 'AAECAwQFBgcICQoLDA0ODw'

export const grant: Decision = {
  n: 1,
  version: '2026-04',
  choices: { analytics: true },
  decidedAt: Date.UTC(2026, 3, 1),
  lastActive: Date.UTC(2026, 3, 1),
  secret,
  gpc: false,
}

/** A jar that any number of tabs share. `value` is what is in it. */
export function memoryJar({ blocked = false } = {}): Jar & { value: string | null; last: string | null } {
  const jar: Jar & { value: string | null; last: string | null } = {
    value: null,
    last: null,
    read: () => jar.value,
    write(value, days, keepsToo) {
      if (blocked) return
      jar.value = days > 0 ? value : null
      if (keepsToo !== undefined) jar.last = keepsToo ? value : null
    },
  }
  return jar
}
