/**
 * Who is signed in, by the word of the site: a JSON Web Token in `Avow-Account`, signed by the host's own back end. Whoever
 * could make one could read what an account chose and choose for it, so nothing about a token is believed before its
 * signature holds, and its algorithm is the one that the key was given for (RFC 8725 §3.1).
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import type { Context } from 'hono'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { InputError, Refusal } from '../problem.js'

/** A JSON Web Key Set (RFC 7517 §5), as it stands in a file. */
export interface JwkSet {
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

interface AccountKey {
  readonly kid: string | null
  readonly alg: string
  readonly key: KeyObject
}

/** Keys that account tokens of one site are signed with. */
export type AccountKeys = readonly AccountKey[]

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVES: Readonly<Record<string, string>> = {
  ...{ ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' },
  ...{ EdDSA: 'Ed25519', Ed25519: 'Ed25519' },
}
/** RFC 7518 §3.2: a key is at least as long as the hash. */
const SECRET_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 }
/** RFC 7518 §3.3. */
const MODULUS_BITS = 2048

const ALGORITHMS = [...RSA, ...Object.keys(CURVES), ...Object.keys(SECRET_BYTES)]

/** Members of a private key (RFC 7518 §6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']

/** Reads `accountKeys`. Throws `InputError` that begins with `where` and names the cure. */
export function parseAccountKeys(where: string, input: unknown): AccountKeys {
  const keys = (input as JwkSet | null)?.keys
  if (!Array.isArray(keys) || keys.length === 0)
    throw new InputError(`${where}.keys`, 'the keys that account tokens are signed with, as a JSON Web Key Set')
  return keys.map((key, i) => parseKey(`${where}.keys.${i}`, key))
}

function parseKey(where: string, jwk: JwkSet['keys'][number] | null): AccountKey {
  if (typeof jwk !== 'object' || jwk === null) throw new InputError(where, 'a JSON Web Key')
  const { alg, kid, use = 'sig' } = jwk
  if (typeof alg !== 'string' || !ALGORITHMS.includes(alg)) {
    throw new InputError(
      `${where}.alg`,
      `the one algorithm that this key is for, so that a token can't choose it: ${ALGORITHMS.join(', ')}`,
    )
  }
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) throw new InputError(`${where}.kid`, 'a text')
  if (use !== 'sig') throw new InputError(`${where}.use`, '"sig", or nothing')
  return { kid: kid ?? null, alg, key: alg in SECRET_BYTES ? secretKey(where, alg, jwk) : publicKey(where, alg, jwk) }
}

function secretKey(where: string, alg: string, { kty, k }: JwkSet['keys'][number]): KeyObject {
  if (kty !== 'oct') throw new InputError(`${where}.kty`, `"oct", as ${alg} asks for`)
  const size = SECRET_BYTES[alg]!
  const secret = typeof k === 'string' && /^[\w-]+$/.test(k) ? Buffer.from(k, 'base64url') : null
  if (!secret || secret.length < size)
    throw new InputError(`${where}.k`, `at least ${size} random bytes in base64url for ${alg}: make a longer secret`)
  return createSecretKey(secret)
}

function publicKey(where: string, alg: string, jwk: JwkSet['keys'][number]): KeyObject {
  const held = PRIVATE.find((member) => member in jwk)
  if (held !== undefined)
    throw new InputError(
      `${where}.${held}`,
      'the public half alone: only the host signs, and nobody else should be able to',
    )
  const curve = CURVES[alg]
  const kty = curve === undefined ? 'RSA' : curve === 'Ed25519' ? 'OKP' : 'EC'
  if (jwk.kty !== kty) throw new InputError(`${where}.kty`, `"${kty}", as ${alg} asks for`)
  if (curve !== undefined && jwk.crv !== curve) throw new InputError(`${where}.crv`, `"${curve}", as ${alg} asks for`)
  let key: KeyObject
  try {
    key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    // Of the right kind by its labels, and no point or number of that kind.
    throw new InputError(where, `a public key for ${alg}, whole`)
  }
  if (kty === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < MODULUS_BITS)
    throw new InputError(`${where}.n`, `a modulus of at least ${MODULUS_BITS} bits`)
  return key
}

/** A token is asked for when a page is shown, not kept: one that was overheard is soon worth nothing. */
const MAX_AGE_SECONDS = 300
/** How far ahead the clock of the host may run. */
const AHEAD_SECONDS = 60
/** With it an identity still fits what every identity is padded to, so that its length doesn't tell whose it is. */
export const ACCOUNT_BYTES = 256

const CURE = 'have the host sign a new one for this page'

/** With the header that every 401 has to carry (RFC 9110 §15.5.2); no browser asks anybody for anything because of it. */
const refused = (detail: string) =>
  new Refusal('account-refused', detail, {
    field: 'avow-account',
    headers: { 'www-authenticate': 'Avow realm="account"' },
  })

/**
 * The account that a token names: its `sub`. Rejects with a `Refusal` (401) that says what to do about it and repeats
 * nothing of it. `keys`: null where the site has none. `now`: Unix milliseconds.
 */
export async function verifyAccount(
  token: string,
  keys: AccountKeys | null,
  site: string,
  now: number,
): Promise<string> {
  if (!keys) throw refused('this site takes no account tokens: set its accountKeys, or send none')
  const { iat, sub } = await openToken(token, keys, site, now)
  // Without the tolerance that jose would grant both ways.
  const age = now / 1000 - (iat ?? Number.NEGATIVE_INFINITY)
  if (!(age <= MAX_AGE_SECONDS)) throw refused(`the token is more than ${MAX_AGE_SECONDS} s old: ${CURE}`)
  if (age < -AHEAD_SECONDS) throw refused('the token was issued in the future: set the clock of the host')
  const isNamed = typeof sub === 'string' && sub !== '' && !/[\p{Cc}\p{Cs}]/u.test(sub)
  // As it will stand in the record, where quotes and backslashes take two.
  if (!isNamed || Buffer.byteLength(JSON.stringify(sub)) - 2 > ACCOUNT_BYTES)
    throw refused(`sub: expected the site's own name of the account, of 1 to ${ACCOUNT_BYTES} bytes`)
  return sub
}

async function openToken(token: string, keys: AccountKeys, site: string, now: number) {
  const { alg, kid } = readHeader(token)
  const able = keys.filter((key) => key.alg === alg && (kid === undefined || key.kid === kid))
  for (const key of able) {
    try {
      const { payload } = await jwtVerify(token, key.key, {
        algorithms: [key.alg],
        audience: site,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: new Date(now),
      })
      return payload
    } catch (error) {
      // A token that names no key may be another's of the same algorithm.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error)
    }
  }
  throw refused(
    'the token is signed with none of the accountKeys: add the public key that the host signs with, and its alg',
  )
}

function readHeader(token: string): { alg?: string | undefined; kid?: string | undefined } {
  try {
    return decodeProtectedHeader(token)
  } catch {
    // Not base64url, or not JSON: nothing that anybody signed.
    throw refused('that is not a JSON Web Token in compact form')
  }
}

function refusalOf(error: unknown): unknown {
  // What jose says may repeat the token.
  if (error instanceof errors.JWTExpired) return refused(`the token has expired: ${CURE}`)
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'aud'
      ? refused('aud: expected the name of the site')
      : refused(`${error.claim}: expected in every token, and in time: ${CURE}`)
  }
  return error instanceof errors.JOSEError ? refused('that is not a signed JSON Web Token in compact form') : error
}

/** The account of who asks, or null where the request names none. Rejects as `verifyAccount` does. */
export async function readAccount(
  c: Context,
  keys: AccountKeys | null,
  site: string,
  now: number,
): Promise<string | null> {
  const token = c.req.header('avow-account')
  return token === undefined ? null : verifyAccount(token, keys, site, now)
}
