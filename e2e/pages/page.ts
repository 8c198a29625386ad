/**
 * Pages of a host, from parts to HTML. Each has a nonce of its own and the strictest policy that a page of its parts can
 * have: no inline script or style, nothing from elsewhere, and Trusted Types without a policy.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { hostileScript } from './hostile.js'

/** What a part knows of the page it is in. */
export interface At {
  readonly nonce: string
  readonly origin: string
  readonly base: string
  readonly site: string
  readonly loader: string
  readonly headers: IncomingMessage['headers']
}

/** Gives HTML. In the body; in the head where it stands before `body` in the list. */
export type Part = (at: At) => string

export interface Look {
  readonly lang?: string
  /** Policy directives that are otherwise, or more of them; null for none of that name. */
  readonly csp?: Readonly<Record<string, string | null>>
  /** No policy at all, as most pages of the world have it; no nonces either. */
  readonly lax?: boolean
  readonly isHostile?: boolean
}

/** Where the head ends. */
export const body: Part = () => '</head><body>'

export const escapeText = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')

/** What every page has: scripts say here that they ran. */
const ledgerScript = 'window.ran = []; window.heard = [];'

const policyOf = ({ nonce, base }: At, csp: Readonly<Record<string, string | null>>): string => {
  const directives: Record<string, string | null> = {
    'default-src': "'none'",
    'script-src': `'nonce-${nonce}' 'strict-dynamic'`,
    'style-src': "'none'",
    'require-trusted-types-for': "'script'",
    'trusted-types': "'none'",
    'connect-src': `'self' ${new URL(base).origin}`,
    'img-src': "'self'",
    'frame-src': "'self'",
    ...csp,
  }
  return Object.entries(directives)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')
}

export function render(
  host: Omit<At, 'nonce' | 'headers'>,
  parts: readonly Part[],
  { lang = 'en', csp = {}, lax = false, isHostile = false }: Look,
  request: IncomingMessage,
): { html: string; policy: string | null } {
  // A router that puts this page's body into another's document asks for the nonce of that one.
  const own = String(request.headers['page-nonce'] ?? randomBytes(12).toString('base64url'))
  const nonce = lax ? '' : own
  const { origin, base, site, loader } = host
  const at: At = { nonce, origin, base, site, loader, headers: request.headers }
  const first: Part = ({ nonce }) =>
    `<script nonce="${nonce}">${ledgerScript}${isHostile ? hostileScript : ''}</script>`
  const inner = (parts.includes(body) ? parts : [body, ...parts]).map((part) => part(at)).join('\n')
  const html = `<!doctype html>
<html lang="${lang}">
<head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="/pixel.svg">
${first(at)}
${inner}
</body>
</html>`
  return { html, policy: lax ? null : policyOf(at, csp) }
}
