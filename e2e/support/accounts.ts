/** A host that has accounts: it signs tokens, and the site knows its key. */
import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'

export interface Accounts {
  /** For the site's options. */
  readonly accountKeys: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  /** As the host's back end makes one for each page of who is signed in. `aheadMs`: by another clock. */
  token(account: string, aheadMs?: number): Promise<string>
}

export function openAccounts(site: string): Accounts {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    accountKeys: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'story', alg: 'ES256', use: 'sig' }] },
    token(account, aheadMs = 0) {
      const now = Math.floor((Date.now() + aheadMs) / 1000)
      return new SignJWT()
        .setProtectedHeader({ alg: 'ES256', kid: 'story' })
        .setSubject(account)
        .setAudience(site)
        .setIssuedAt(now)
        .setExpirationTime(now + 300)
        .sign(privateKey)
    },
  }
}
