/** The one cookie of ours, read by its exact name; why no library does it: docs/decisions/0011. */
import type { SiteConfig } from '../wire.js'
import { attempt } from './attempt.js'

/** Where cookies are forbidden the jar is empty, and the choice lasts as long as the page. */
export interface Jar {
  read(): string | null
  /**
   * A negative age removes it. `keepsToo`: in storage as well, where the next page finds it though a late answer, to a page
   * that is gone, has set an older cookie in its place; false takes it away there, absent leaves what is there.
   */
  write(value: string, maxAgeDays: number, keepsToo?: boolean): void
}

/** Browsers refuse a cookie of such a name from subdomains, or at least over plain http (RFC 6265bis §4.1.3). */
export const cookieName = (https: boolean, domain?: string): string =>
  `${https ? (domain ? '__Secure-' : '__Host-') : ''}avow`

export function createJar(https: boolean, { site, domain }: Pick<SiteConfig, 'site' | 'domain'>): Jar {
  const name = cookieName(https, domain)
  return {
    read: () =>
      attempt(() => {
        const [, value, second] = `; ${document.cookie}`.split(`; ${name}=`)
        // Two of the same name: one was planted by another path, and nobody can say which.
        return second === undefined ? decodeURIComponent(value!.split(';')[0]!) : null
      }, true),
    write(value, maxAgeDays, keepsToo) {
      attempt(() => {
        // biome-ignore lint/suspicious/noDocumentCookie: cookieStore is not on plain http, and can't be waited for.
        document.cookie =
          `${name}=${encodeURIComponent(value)};path=/;max-age=${maxAgeDays * 86_400};samesite=lax` +
          (https ? ';secure' : '') +
          (domain ? `;domain=${domain}` : '')
        const key = `avow:${site}:last`
        if (keepsToo) localStorage.setItem(key, JSON.stringify({ decision: value }))
        else if (keepsToo === false) localStorage.removeItem(key)
      }, true)
    },
  }
}
