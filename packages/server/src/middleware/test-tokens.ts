/** A host that signs account tokens, for the tests: with keys of every kind, and with whatever claims it is told. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'

export interface TestKey {
  /** What the site is configured with. */
  readonly jwk: Readonly<Record<string, unknown>>
  readonly signsWith: KeyObject | Uint8Array
  readonly alg: string
}

const publicOf = (publicKey: KeyObject) => publicKey.export({ format: 'jwk' }) as Record<string, unknown>

export function createTestKey(alg: string, kid?: string): TestKey {
  const named = { alg, ...(kid === undefined ? {} : { kid }) }
  if (alg.startsWith('HS')) {
    const secret = randomBytes(64)
    return { alg, signsWith: secret, jwk: { kty: 'oct', k: secret.toString('base64url'), ...named } }
  }
  const { publicKey, privateKey } = pairFor(alg)
  return { alg, signsWith: privateKey, jwk: { ...publicOf(publicKey), ...named } }
}

function pairFor(alg: string) {
  if (alg.startsWith('ES')) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]!
    return generateKeyPairSync('ec', { namedCurve })
  }
  return alg.startsWith('Ed') ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: 2048 })
}

/** A token for `sub` that is right in everything; `claims` make it otherwise, and undefined takes one away. */
export function signToken(
  key: TestKey,
  site: string,
  sub: string,
  now: number,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const iat = Math.floor(now / 1000)
  const { kid } = key.jwk
  return new SignJWT({ sub, aud: site, iat, exp: iat + 300, ...claims })
    .setProtectedHeader({ alg: key.alg, ...(typeof kid === 'string' ? { kid } : {}), ...header })
    .sign(key.signsWith)
}
