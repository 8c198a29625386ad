import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { InputError, Refusal } from '../problem.js'
import { parseAccountKeys, verifyAccount } from './account.js'
import { createTestKey, signToken, type TestKey } from './test-tokens.js'

const NOW = Date.parse('2026-11-23T10:00:00.400Z')
const SECONDS = Math.floor(NOW / 1000)

const key = createTestKey('ES256', 'one')
const keysOf = (...keys: TestKey[]) => parseAccountKeys('accountKeys', { keys: keys.map(({ jwk }) => jwk) })
const KEYS = keysOf(key)

const verify = (token: string, keys: ReturnType<typeof keysOf> | null = KEYS, now = NOW) =>
  verifyAccount(token, keys, 'shop', now)

/** Checks that a token is refused as whoever presents it is told, and that nothing of it is told. */
async function expectRefusal(token: string, says: RegExp, keys: ReturnType<typeof keysOf> | null = KEYS, now = NOW) {
  const error = await verify(token, keys, now).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Refusal)
  const { code, message, field } = error as Refusal
  expect([code, field]).toEqual(['account-refused', 'avow-account'])
  expect(message).toMatch(says)
  expect(message).not.toMatch(/ann/)
}

describe('an account token', () => {
  test('names the account that the host signed for, by every algorithm that can be pinned', async () => {
    for (const alg of ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'HS512']) {
      const one = createTestKey(alg)
      expect(await verify(await signToken(one, 'shop', 'ann', NOW), keysOf(one)), alg).toBe('ann')
    }
  })

  test('is for one site, and for no other', async () => {
    await expectRefusal(await signToken(key, 'other', 'ann', NOW), /^aud: expected the name of the site/)
    await expectRefusal(await signToken(key, 'shop', 'ann', NOW, { aud: undefined }), /^aud/)
    expect(await verify(await signToken(key, 'shop', 'ann', NOW, { aud: ['other', 'shop'] }))).toBe('ann')
  })

  test('is good for five minutes from when it was issued, whatever it says of itself', async () => {
    const token = await signToken(key, 'shop', 'ann', NOW, { iat: SECONDS, exp: SECONDS + 86_400 })
    expect(await verify(token, KEYS, (SECONDS + 300) * 1000)).toBe('ann')
    await expectRefusal(token, /more than 300 s old: have the host sign a new one/, KEYS, (SECONDS + 300) * 1000 + 1)
  })

  test('of a host whose clock is a minute ahead is good, and of one that is further ahead is not', async () => {
    const issued = (ahead: number) => signToken(key, 'shop', 'ann', NOW, { iat: SECONDS + ahead, exp: SECONDS + 400 })
    expect(await verify(await issued(60))).toBe('ann')
    await expectRefusal(await issued(61), /issued in the future: set the clock of the host/)
  })

  test('that has expired, or is not good yet, is refused', async () => {
    const until = (exp: number) => signToken(key, 'shop', 'ann', NOW, { exp })
    expect(await verify(await until(SECONDS + 1))).toBe('ann')
    await expectRefusal(await until(SECONDS), /has expired: have the host sign a new one/)
    await expectRefusal(await signToken(key, 'shop', 'ann', NOW, { nbf: SECONDS + 5 }), /^nbf/)
  })

  test('without a time of issue, an expiry or a name is refused, naming what it lacks', async () => {
    for (const claim of ['iat', 'exp', 'sub'])
      await expectRefusal(await signToken(key, 'shop', 'ann', NOW, { [claim]: undefined }), new RegExp(`^${claim}: `))
  })

  test('whose name is empty, too long, or no text is refused', async () => {
    const named = (sub: unknown) => signToken(key, 'shop', 'x', NOW, { sub })
    expect(await verify(await named('a'.repeat(256)))).toBe('a'.repeat(256))
    expect(await verify(await named('Zoë 🙂'))).toBe('Zoë 🙂')
    for (const sub of ['', 'a'.repeat(257), 'ä'.repeat(129), '"'.repeat(129), 'a\nb', 'a\u0000b', '\ud800', 5, null])
      await expectRefusal(await named(sub), /^sub: expected/)
  })

  test('that another key signed is refused, also under the name of ours', async () => {
    await expectRefusal(await signToken(createTestKey('ES256', 'one'), 'shop', 'ann', NOW), /none of the accountKeys/)
    await expectRefusal(await signToken(createTestKey('ES256'), 'shop', 'ann', NOW), /none of the accountKeys/)
  })

  test('is checked with the key it names; one that names none, with each of its algorithm', async () => {
    const [first, second, unnamed] = [createTestKey('ES256', 'a'), createTestKey('ES256', 'b'), createTestKey('ES256')]
    const keys = keysOf(first, createTestKey('RS256', 'c'), second, unnamed)
    for (const one of [first, second, unnamed])
      expect(await verify(await signToken(one, 'shop', 'ann', NOW), keys)).toBe('ann')
    expect(await verify(await signToken(second, 'shop', 'ann', NOW, {}, { kid: undefined }), keys)).toBe('ann')
    await expectRefusal(await signToken(second, 'shop', 'ann', NOW, {}, { kid: 'a' }), /none of the accountKeys/, keys)
    await expectRefusal(await signToken(second, 'shop', 'ann', NOW, {}, { kid: 'z' }), /none of the accountKeys/, keys)
  })

  test('can’t choose its algorithm: neither none, nor a weaker one, nor the public key taken for a secret', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'RS256' }
    const keys = parseAccountKeys('accountKeys', { keys: [jwk] })
    const rsa = (alg: string, signsWith: KeyObject | Uint8Array): TestKey => ({ alg, signsWith, jwk })
    expect(await verify(await signToken(rsa('RS256', privateKey), 'shop', 'ann', NOW), keys)).toBe('ann')
    await expectRefusal(await signToken(rsa('PS256', privateKey), 'shop', 'ann', NOW), /none of the accountKeys/, keys)
    await expectRefusal(await signToken(rsa('RS512', privateKey), 'shop', 'ann', NOW), /none of the accountKeys/, keys)
    for (const text of [
      publicKey.export({ format: 'pem', type: 'spki' }),
      publicKey.export({ format: 'der', type: 'spki' }),
      JSON.stringify(jwk),
      JSON.stringify({ keys: [jwk] }),
    ]) {
      const forged = await signToken(rsa('HS256', new Uint8Array(Buffer.from(text))), 'shop', 'ann', NOW)
      await expectRefusal(forged, /none of the accountKeys/, keys)
      await expectRefusal(forged, /none of the accountKeys/, keysOf(createTestKey('HS256')))
    }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = part({ sub: 'ann', aud: 'shop', iat: SECONDS, exp: SECONDS + 60 })
    for (const alg of ['none', 'None', ''])
      for (const signature of ['', 'AAAA'])
        await expectRefusal(`${part({ alg })}.${claims}.${signature}`, /none of the accountKeys|not a/, keys)
  })

  test('that brings its own key is checked with ours all the same', async () => {
    const theirs = createTestKey('ES256', 'one')
    await expectRefusal(
      await signToken(theirs, 'shop', 'ann', NOW, {}, { jwk: theirs.jwk, jku: 'https://evil.example/keys' }),
      /none of the accountKeys/,
    )
  })

  test('that was changed, cut or never was one is refused', async () => {
    const token = await signToken(key, 'shop', 'ann', NOW)
    const [header, , signature] = token.split('.')
    const other = Buffer.from(JSON.stringify({ sub: 'bob', aud: 'shop', iat: SECONDS, exp: SECONDS + 60 }))
    await expectRefusal(`${header}.${other.toString('base64url')}.${signature}`, /none of the accountKeys/)
    for (const text of ['', ' ', 'x', 'a.b.c', '..', `${token}.`, token.slice(0, 40), `Bearer ${token}`, '{}'])
      await expectRefusal(text, /not a (signed )?JSON Web Token|none of the accountKeys/)
  })

  test('is refused where the site has no keys, and told how to get some', async () => {
    await expectRefusal(await signToken(key, 'shop', 'ann', NOW), /set its accountKeys/, null)
  })
})

describe('the keys of account tokens', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ec = publicKey.export({ format: 'jwk' })
  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
  const oct = (size: number) => ({ kty: 'oct', k: Buffer.alloc(size, 7).toString('base64url') })

  const wrong: [why: string, set: unknown, message: RegExp][] = [
    ['no set', null, /^accountKeys\.keys: expected .* JSON Web Key Set/],
    ['a key alone', ec, /^accountKeys\.keys: /],
    ['an empty set', { keys: [] }, /^accountKeys\.keys: /],
    ['a member that is none', { keys: ['x'] }, /^accountKeys\.keys\.0: /],
    [
      'a key without alg',
      { keys: [{ ...ec, alg: 'ES256' }, ec] },
      /^accountKeys\.keys\.1\.alg: .*can't choose it: RS256/,
    ],
    ['alg none', { keys: [{ ...oct(32), alg: 'none' }] }, /^accountKeys\.keys\.0\.alg: /],
    ['an unknown alg', { keys: [{ ...ec, alg: 'ES256K' }] }, /^accountKeys\.keys\.0\.alg: /],
    [
      'a short secret',
      { keys: [{ ...oct(31), alg: 'HS256' }] },
      /^accountKeys\.keys\.0\.k: expected at least 32 random/,
    ],
    ['a secret shorter than its hash', { keys: [{ ...oct(63), alg: 'HS512' }] }, /^accountKeys\.keys\.0\.k: .* 64 /],
    ['a secret that is no base64url', { keys: [{ kty: 'oct', k: 'ä'.repeat(64), alg: 'HS256' }] }, /\.k: /],
    [
      'a public key taken for a secret',
      { keys: [{ ...ec, alg: 'HS256' }] },
      /^accountKeys\.keys\.0\.kty: expected "oct"/,
    ],
    [
      'a secret taken for a public key',
      { keys: [{ ...oct(32), alg: 'RS256' }] },
      /^accountKeys\.keys\.0\.kty: expected "RSA"/,
    ],
    ['another curve', { keys: [{ ...ec, alg: 'ES384' }] }, /^accountKeys\.keys\.0\.crv: expected "P-384"/],
    ['a point that is none', { keys: [{ ...ec, x: 'AAAA', alg: 'ES256' }] }, /^accountKeys\.keys\.0: .*whole/],
    ['a small modulus', { keys: [{ ...rsa(1024), alg: 'RS256' }] }, /^accountKeys\.keys\.0\.n: .*2048/],
    ['a key for encrypting', { keys: [{ ...ec, alg: 'ES256', use: 'enc' }] }, /^accountKeys\.keys\.0\.use: /],
    ['a kid that is no text', { keys: [{ ...ec, alg: 'ES256', kid: 5 }] }, /^accountKeys\.keys\.0\.kid: /],
    [
      'a private key',
      { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256' }] },
      /^accountKeys\.keys\.0\.d: expected the public half alone/,
    ],
  ]
  test.each(wrong)('with %s are refused at start, naming the key and the cure', (_, set, message) => {
    expect(() => parseAccountKeys('accountKeys', set)).toThrow(InputError)
    expect(() => parseAccountKeys('accountKeys', set)).toThrow(message)
  })

  test('may hold what a host publishes beside them', () => {
    const set = { keys: [{ ...ec, alg: 'ES256', kid: '1', use: 'sig', key_ops: ['verify'], x5t: 'x', ext: true }] }
    expect(parseAccountKeys('accountKeys', set)).toHaveLength(1)
  })
})
