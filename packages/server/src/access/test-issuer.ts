/** A real identity provider on this machine, for the tests, and tokens that it would never sign. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { Provider } from 'oidc-provider'
import { vi } from 'vitest'

export const AUDIENCE = 'https://avow.shop.example'

/** What the provider puts into tokens besides its own claims. */
type Claims = Readonly<Record<string, unknown>>

export interface TestIssuer {
  readonly issuer: string
  /** A token that the provider itself gives out, for its client `console`. */
  token(claims?: Claims): Promise<string>
  /** A token by the provider's key that is right in everything; `claims` make it otherwise, and undefined takes one away. */
  forge(claims?: Claims, header?: Readonly<Record<string, unknown>>, key?: KeyObject | Uint8Array): Promise<string>
  readonly publicKey: KeyObject
  /** Changes the provider's keys; what `forge` signs with, too. */
  rotate(kid: string): void
  /** Requests so far, by path. */
  readonly asked: string[]
  stop(): Promise<void>
  start(): Promise<void>
}

export async function startIssuer(): Promise<TestIssuer> {
  let claims: Claims = {}
  let pair = makeKey('first')
  const asked: string[] = []
  let server: Server | null = null
  let port = 0
  let provider = (): Provider => {
    throw new Error('not listening yet')
  }
  const listen = async () => {
    const created = createServer((request, response) => {
      asked.push(request.url ?? '')
      current.callback()(request, response)
    })
    await new Promise<void>((resolve) => created.listen(port, '127.0.0.1', resolve))
    port = (created.address() as AddressInfo).port
    server = created
  }
  await listen()
  const issuer = `http://127.0.0.1:${port}`
  // It warns of Node 20, which it runs on, and of what a provider on a network would need.
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.spyOn(console, 'info').mockImplementation(() => {})
  provider = () =>
    new Provider(
      issuer,
      configurationOf([pair.jwk], () => claims),
    )
  let current = provider()
  return {
    issuer,
    asked,
    get publicKey() {
      return pair.publicKey
    },
    async token(more = { realm_access: { roles: ['privacy'] } }) {
      claims = more
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa('console:secret')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: `grant_type=client_credentials&resource=${encodeURIComponent(AUDIENCE)}`,
      })
      const answer = (await response.json()) as { access_token?: string }
      if (answer.access_token === undefined) throw new Error(`the issuer answers ${JSON.stringify(answer)}`)
      return answer.access_token
    },
    forge(more = {}, header = {}, key = pair.privateKey) {
      const iat = Math.floor(Date.now() / 1000)
      const right = {
        iss: issuer,
        aud: AUDIENCE,
        sub: 'ada',
        iat,
        exp: iat + 300,
        realm_access: { roles: ['privacy'] },
      }
      return new SignJWT({ ...right, ...more }).setProtectedHeader({ alg: 'RS256', kid: pair.kid, ...header }).sign(key)
    },
    rotate(kid) {
      pair = makeKey(kid)
      current = provider()
    },
    async stop() {
      server?.closeAllConnections()
      await new Promise((resolve) => server?.close(resolve))
    },
    start: listen,
  }
}

function makeKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { kid, publicKey, privateKey, jwk: { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' } }
}

const configurationOf = (keys: readonly object[], claims: () => Claims) => ({
  jwks: { keys },
  clients: [
    {
      client_id: 'console',
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: '',
        audience: AUDIENCE,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: () => claims(),
})
