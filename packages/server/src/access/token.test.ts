import { createHmac, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realOutside } from '../outsiders.js'
import { SITE, testPolicy, testWorld } from '../testing.js'
import { AUDIENCE, startIssuer, type TestIssuer } from './test-issuer.js'
import { type OidcOptions, parseOidc } from './token.js'

let provider: TestIssuer
beforeAll(async () => {
  provider = await startIssuer()
})
afterAll(() => provider.stop())

const oidcOf = (more: Partial<OidcOptions> = {}): OidcOptions => ({
  issuer: provider.issuer,
  audience: AUDIENCE,
  roleClaim: 'realm_access.roles',
  roles: { privacy: { scopes: ['audit:read'] }, operator: { scopes: ['admin'] } },
  ...more,
})

/** A server that takes the provider's tokens. Its clock is the real one, which the provider's is, and can be moved on. */
async function world(more: Partial<OidcOptions> = {}, options: Parameters<typeof testWorld>[0] = {}) {
  const ahead = { ms: 0 }
  const made = await testWorld({
    oidc: oidcOf(more),
    now: () => Date.now() + ahead.ms,
    outside: realOutside,
    ...options,
  })
  const ask = (token: string, path = '/v1/audit/records', headers: Record<string, string> = {}) =>
    made.avow.app.request(path, { headers: { authorization: `Bearer ${token}`, ...headers } })
  const codeOf = async (token: string) => {
    const response = await ask(token)
    return response.status === 200 ? 200 : (await response.json()).code
  }
  return { ...made, ahead, ask, codeOf }
}

describe('a token of the identity provider', () => {
  test('that it gave out lets in by its roles, and the access log has its subject', async () => {
    const { avow, ask } = await world()
    const token = await provider.token()
    expect((await ask(token)).status).toBe(200)
    const evidence = await ask(token, `/v1/audit/subjects/${'A'.repeat(43)}/evidence`)
    expect([evidence.status, (await evidence.json()).code]).toEqual([403, 'forbidden'])
    expect(
      await (await ask(await provider.token({ realm_access: { roles: ['operator'] } }), '/v1/admin/keys')).json(),
    ).toMatchObject({
      keys: [{ name: 'privacy team' }],
    })
    const reader = await avow.keys.create({ name: 'x', site: SITE, scopes: ['access:read'] })
    const { accesses } = await (await ask(reader, '/v1/audit/access-log?who=console')).json()
    expect(accesses.map(({ who }: { who: unknown }) => who)).toEqual(
      Array(3).fill({ kind: 'token', id: 'console', name: 'console' }),
    )
  })

  test('that it didn’t give out, or for somebody else, lets nobody in, and no answer repeats it', async () => {
    const { codeOf, ask, logged } = await world({}, { alarms: { refusals: null } })
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const past = Math.floor(Date.now() / 1000) - 31
    const [header, payload, signature] = (await provider.forge()).split('.')
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const pem = provider.publicKey.export({ type: 'spki', format: 'pem' })
    const hs256 = `${encode({ alg: 'HS256', kid: 'first' })}.${payload}`
    const wider = encode({ ...JSON.parse(Buffer.from(payload!, 'base64url').toString()), sub: 'eve' })
    const refused: [what: string, token: string, code: string][] = [
      ['another audience', await provider.forge({ aud: 'https://other.example' }), 'token-refused'],
      ['no audience', await provider.forge({ aud: undefined }), 'token-refused'],
      ['another issuer', await provider.forge({ iss: 'https://other.example' }), 'token-refused'],
      ['expired', await provider.forge({ exp: past }), 'token-refused'],
      ['no end', await provider.forge({ exp: undefined }), 'token-refused'],
      ['not yet', await provider.forge({ nbf: past + 3600 }), 'token-refused'],
      ['no subject', await provider.forge({ sub: undefined }), 'token-refused'],
      ['an empty subject', await provider.forge({ sub: '' }), 'token-refused'],
      ['a subject of two lines', await provider.forge({ sub: 'a\nb' }), 'token-refused'],
      ['a subject that turns round the line', await provider.forge({ sub: 'a\u202eb' }), 'token-refused'],
      ['made years from now', await provider.forge({ iat: past + 3e8, exp: past + 4e8 }), 'token-refused'],
      ['made a minute from now', await provider.forge({ iat: past + 91 }), 'token-refused'],
      ['a sign-out', await provider.forge({}, { typ: 'logout+jwt' }), 'token-refused'],
      ['an event', await provider.forge({}, { typ: 'application/secevent+jwt' }), 'token-refused'],
      ['a proof', await provider.forge({}, { typ: 'dpop+jwt' }), 'token-refused'],
      ['an empty typ', await provider.forge({}, { typ: '' }), 'token-refused'],
      ['bound by DPoP', await provider.forge({ cnf: { jkt: 'x' } }), 'token-refused'],
      ['bound by a certificate', await provider.forge({ cnf: { 'x5t#S256': 'x' } }), 'token-refused'],
      ['bound somehow', await provider.forge({ cnf: null }), 'token-refused'],
      ['alg none', `${encode({ alg: 'none' })}.${payload}.`, 'token-refused'],
      ['alg none, signed', `${encode({ alg: 'none' })}.${payload}.${signature}`, 'token-refused'],
      [
        'HS256 by the public key',
        `${hs256}.${createHmac('sha256', pem).update(hs256).digest('base64url')}`,
        'token-refused',
      ],
      ['another key of that name', await provider.forge({}, {}, other), 'token-refused'],
      ['a key that nobody has', await provider.forge({}, { kid: 'unknown' }), 'token-refused'],
      ['another payload', `${header}.${wider}.${signature}`, 'token-refused'],
      ['cut short', `${header}.${payload}`, 'token-refused'],
      ['no role', await provider.forge({ realm_access: undefined }), 'forbidden'],
      [
        'no role of ours',
        await provider.forge({ realm_access: { roles: ['staff', '__proto__', 'constructor'] } }),
        'forbidden',
      ],
      ['roles that are none', await provider.forge({ realm_access: { roles: { privacy: true } } }), 'forbidden'],
    ]
    for (const [what, token, code] of refused) {
      expect([what, await codeOf(token)]).toEqual([what, code])
      expect(await (await ask(token)).text()).not.toContain(token.split('.')[1])
    }
    expect(await codeOf(await provider.forge())).toBe(200)
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt'])
      expect([typ, await codeOf(await provider.forge({}, { typ }))]).toEqual([typ, 200])
    expect(await codeOf(await provider.forge({ iat: past + 51 }))).toBe(200)
    expect(logged).toEqual([])
    const { codeOf: strict } = await world({ algorithms: ['ES256'] })
    expect(await strict(await provider.forge())).toBe('token-refused')
  })

  test('that ends while it exports gets no further', async () => {
    const roles = { privacy: { scopes: ['audit:export' as const] } }
    const { ahead, ask, consent } = await world({ roles })
    for (let i = 0; i < 200; i++) await consent()
    const reader = (await ask(await provider.forge(), '/v1/audit/export')).body!.getReader()
    ahead.ms = 329_000
    expect((await reader.read()).done).toBe(false)
    ahead.ms = 332_000
    await expect(reader.read()).rejects.toThrow('the token has expired')
  })

  test('needs a second factor where that is asked for, and is told so', async () => {
    const { codeOf, ask } = await world({ requireMfa: true })
    const amr = (...methods: unknown[]) => provider.forge({ amr: methods })
    expect([await codeOf(await amr('pwd', 'mfa')), await codeOf(await amr('pwd'))]).toEqual([200, 'mfa-required'])
    expect(await codeOf(await provider.forge({ amr: 'mfa' }))).toBe('mfa-required')
    const response = await ask(await provider.forge())
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('insufficient_user_authentication')
  })

  test('reaches the sites of its role, and no role reaches those of another', async () => {
    const sites = [SITE, 'other'].map((site) => ({
      site,
      policy: testPolicy(),
      origins: [`https://${site}.example`],
      publicLog: true,
    }))
    const { ask } = await world(
      {
        roleClaim: 'https://shop.example/roles',
        roles: { a: { scopes: ['audit:read'], sites: [SITE] }, b: { scopes: ['access:read'], sites: ['other'] } },
      },
      { sites },
    )
    const token = await provider.forge({ 'https://shop.example/roles': 'a b' })
    const statusOf = async (path: string, site: string) => (await ask(token, path, { 'avow-site': site })).status
    expect([await statusOf('/v1/audit/records', SITE), await statusOf('/v1/audit/records', 'other')]).toEqual([
      200, 403,
    ])
    expect([await statusOf('/v1/audit/access-log', SITE), await statusOf('/v1/audit/access-log', 'other')]).toEqual([
      403, 200,
    ])
  })

  test('is no key of ours where no provider is set', async () => {
    const { avow } = await testWorld()
    const headers = { authorization: `Bearer ${await provider.forge()}` }
    const response = await avow.app.request('/v1/audit/records', { headers })
    expect([response.status, (await response.json()).code]).toEqual([401, 'unauthorized'])
  })
})

describe('while the identity provider is down', () => {
  test('a token is answered 503, and by a key that is known it works on for a day, which is told once', async () => {
    const { ahead, codeOf, logged } = await world()
    const before = await provider.forge({ exp: Math.floor(Date.now() / 1000) + 200_000 })
    const { codeOf: strange, logged: toldStrange } = await world()
    expect(await codeOf(before)).toBe(200)
    await provider.stop()
    try {
      for (let i = 0; i < 3; i++) expect(await strange(before)).toBe('unavailable')
      expect(toldStrange).toEqual(Array(3).fill(expect.stringMatching(/^unavailable: .* can't be asked: /)))
      for (const ms of [0, 11 * 60_000, 12 * 60_000, 23 * 3_600_000]) {
        ahead.ms = ms
        expect([ms, await codeOf(before)]).toEqual([ms, 200])
      }
      expect(logged.filter((line) => line.startsWith('the identity provider'))).toHaveLength(1)
      // A key that the provider made since can't be told from one that it never had.
      expect(await codeOf(await provider.forge({ exp: 4e9 }, { kid: 'new' }))).toBe('unavailable')
      ahead.ms = 25 * 3_600_000
      expect(await codeOf(before)).toBe('unavailable')
    } finally {
      await provider.start()
    }
    ahead.ms += 60_000
    expect(await codeOf(before)).toBe(200)
  })

  test('keys are asked for once for many tokens, anew for a new one, and not for every name that somebody makes up', async () => {
    const { ahead, codeOf } = await world()
    const from = provider.asked.length
    const token = await provider.forge()
    expect(await Promise.all(Array.from({ length: 9 }, () => codeOf(token)))).toEqual(Array(9).fill(200))
    expect(provider.asked.slice(from)).toEqual(['/.well-known/openid-configuration', '/jwks'])
    for (let i = 0; i < 9; i++)
      expect(await codeOf(await provider.forge({}, { kid: `made-up ${i}` }))).toBe('token-refused')
    expect(provider.asked.slice(from)).toHaveLength(2)
    provider.rotate('second')
    ahead.ms = 30_000
    expect(await codeOf(await provider.forge())).toBe(200)
    expect(await codeOf(token)).toBe('token-refused')
    expect(provider.asked.slice(from)).toHaveLength(4)
  })

  test('what answers in its place is not believed', async () => {
    const answers: [what: string, answer: (url: string) => Response | Promise<Response>][] = [
      [
        'another issuer',
        () => Response.json({ issuer: 'https://other.example', jwks_uri: 'https://other.example/jwks' }),
      ],
      ['keys over plain http', () => Response.json({ issuer: provider.issuer, jwks_uri: 'http://other.example/jwks' })],
      ['no JSON', () => new Response('<html>')],
      ['an error', () => new Response('', { status: 500 })],
      ['a flood', () => new Response(' '.repeat(300_000))],
      [
        'keys that are none',
        (url) =>
          Response.json(
            url.endsWith('/jwks') ? { keys: 'all' } : { issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks` },
          ),
      ],
    ]
    for (const [what, answer] of answers) {
      const { codeOf } = await world({}, { outside: { ...realOutside, fetch: async (url) => answer(url) } })
      expect([what, await codeOf(await provider.forge())]).toEqual([what, 'unavailable'])
    }
  })
})

test('options that would let the wrong people in are refused at start, and the field is named', async () => {
  const wrong: [more: Record<string, unknown>, message: string][] = [
    [{ issuer: 'http://idp.example' }, 'oidc.issuer: expected an https address'],
    [{ issuer: 'idp.example' }, 'oidc.issuer'],
    [{ audience: '' }, 'oidc.audience'],
    [{ audience: undefined }, 'oidc.audience'],
    [{ roleClaim: '' }, 'oidc.roleClaim'],
    [{ algorithms: ['HS256'] }, 'oidc.algorithms.0'],
    [{ algorithms: ['none'] }, 'oidc.algorithms.0'],
    [{ algorithms: [] }, 'oidc.algorithms'],
    [{ roles: { a: { scopes: ['everything'] } } }, 'oidc.roles.a.scopes.0'],
    [{ roles: { a: { scopes: ['admin'], sites: ['nobody'] } } }, 'oidc.roles.a.sites: expected some of shop'],
    [{ mfa: true }, 'oidc.mfa: expected no such field'],
  ]
  for (const [more, message] of wrong)
    expect(() => parseOidc('oidc', { ...oidcOf(), ...more }, [SITE])).toThrow(message)
  await expect(world({ issuer: 'http://idp.example' })).rejects.toThrow('oidc.issuer')
})
