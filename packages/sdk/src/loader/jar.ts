/** The one cookie of ours, written and read with js-cookie. */
import Cookies from 'js-cookie'
import { attempt } from './attempt.js'

/** Where cookies are forbidden the jar is empty, and the choice lasts as long as the page. */
export interface Jar {
  read(): string | null
  /** An age of 0 removes it. */
  write(value: string, maxAgeDays: number): void
}

export function createJar(https: boolean): Jar {
  // The prefix makes browsers refuse this cookie from subdomains and over plain http (RFC 6265bis §4.1.3).
  const name = https ? '__Host-avow' : 'avow'
  return {
    read: () =>
      // Two of the same name: one was planted by another path, and nobody can say which.
      attempt(() => (`; ${document.cookie}`.split(`; ${name}=`).length === 2 ? Cookies.get(name)! : null), true),
    write(value, maxAgeDays) {
      const attributes = { sameSite: 'Lax', secure: https, 'max-age': `${maxAgeDays * 86_400}` } as const
      attempt(() => Cookies.set(name, value, attributes), true)
    },
  }
}
