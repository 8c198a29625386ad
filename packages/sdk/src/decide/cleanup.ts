/** Deletes the declared cookies and storage keys of categories without a grant. Nothing that was not declared is touched. */
import type { DeclaredCookie } from '../wire.js'

/** The stores of the page; null where the browser forbids them. */
export interface Stores {
  readonly document: Pick<Document, 'cookie'>
  readonly local: Storage | null
  readonly session: Storage | null
}

/** Every path a cookie of this page may have: with and without the final slash, for both name different cookies. */
const paths = (pathname: string) =>
  pathname.split('/').flatMap((_, index, names) => {
    const path = names.slice(0, index + 1).join('/')
    return [path, `${path}/`]
  })

/** The host and all above it. No list of public suffixes: the browser refuses what is not ours, in silence. */
const domains = (hostname: string) => [
  '',
  ...hostname.split('.').map((_, index, labels) => `;domain=${labels.slice(index).join('.')}`),
]

export function cleanup(
  stores: Stores,
  { hostname, pathname, protocol }: Pick<Location, 'hostname' | 'pathname' | 'protocol'>,
  declared: readonly DeclaredCookie[],
  granted: readonly string[],
): void {
  // A `__Secure-` or `__Host-` cookie is replaced only by one that is secure itself.
  const secure = protocol === 'https:' ? ';secure' : ''
  const cookies = stores.document.cookie.split('; ').map((pair) => pair.split('=')[0]!)
  for (const { kind, name: pattern, category } of declared) {
    if (granted.includes(category)) continue
    const whole = new RegExp(`^${pattern.replace(/[^\w*]/g, '\\$&').replace(/\*/g, '.*')}$`)
    const declaredName = (name: string) => whole.test(name)
    if (kind === 'cookie') {
      for (const name of cookies.filter(declaredName)) {
        for (const path of paths(pathname)) {
          for (const domain of domains(hostname)) {
            // Raw, as the tracker wrote it: a library would encode the name, and cookieStore is not everywhere.
            const gone = `${name}=;path=${path}${domain};max-age=0${secure}`
            stores.document.cookie = gone
            // Partitioned (CHIPS) is another cookie of the same name. Without https there is none.
            stores.document.cookie = `${gone};partitioned`
          }
        }
      }
    } else {
      const store = stores[kind]
      for (const name of Object.keys(store ?? {}).filter(declaredName)) store?.removeItem(name)
    }
  }
}
