/**
 * Tokens of the company's own identity provider: JSON Web Tokens in `Authorization: Bearer`, by keys that the provider
 * publishes (OpenID Connect Discovery, RFC 7517). Issuer, audience and algorithms are the operator's word, never the
 * token's; what a role may do is, too.
 */
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose'
import { z } from 'zod'
import { InputError, inputErrorOf, Refusal } from '../problem.js'
import { UnavailableError } from '../storage/storage.js'
import { isOnOneLine, unauthorized } from './api-key.js'
import { type Caller, type Grant, SCOPES } from './caller.js'

/** Signatures alone: with a shared secret whoever checks a token could make one, and with `none` anybody. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const address = z.string().refine(isSafe, 'an https address; http is for this machine alone')

const options = z.strictObject({
  issuer: address,
  audience: z.string().min(1),
  roleClaim: z.string().min(1),
  roles: z.record(
    z.string(),
    z.strictObject({ scopes: z.array(z.enum(SCOPES)).min(1), sites: z.array(z.string()).min(1).optional() }),
  ),
  requireMfa: z.boolean().default(false),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .default([...ALGORITHMS]),
})

/** Who signs tokens, for whom, and what the roles in them may do. */
export type OidcOptions = z.input<typeof options>

type CheckedOptions = z.output<typeof options>

/** Reads `oidc`. Throws `InputError` that begins with `where`; `served`: names of the sites that there are. */
export function parseOidc(where: string, input: unknown, served: readonly string[]): CheckedOptions {
  const parsed = options.safeParse(input)
  if (!parsed.success) throw inputErrorOf(parsed.error, where, `${where}.`)
  for (const [role, { sites = [] }] of Object.entries(parsed.data.roles)) {
    const unknown = sites.find((site) => !served.includes(site))
    if (unknown !== undefined) throw new InputError(`${where}.roles.${role}.sites`, `some of ${served.join(', ')}`)
  }
  return parsed.data
}

/** What asking the provider needs of the world. */
export interface TokenWorld {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  /** Unix milliseconds. */
  readonly now: () => number
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

export interface Tokens {
  /** Who this token names. Rejects with a `Refusal` (401, 403), or with `UnavailableError` where the provider can't be asked. */
  authenticate(token: string): Promise<Caller>
}

/** How far clocks may be apart. */
const TOLERANCE_SECONDS = 30

export function createTokens(oidc: CheckedOptions, world: TokenWorld): Tokens {
  const keys = new ProviderKeys(oidc.issuer, world)
  return {
    async authenticate(token) {
      const { issuer, audience, algorithms } = oidc
      let verified: JWTVerifyResult
      try {
        verified = await jwtVerify(token, keys.find, {
          issuer,
          audience,
          algorithms,
          requiredClaims: ['exp', 'iat', 'sub'],
          clockTolerance: TOLERANCE_SECONDS,
          currentDate: new Date(world.now()),
        })
      } catch (error) {
        throw refusalOf(error)
      }
      checkUse(verified, world.now())
      const { payload } = verified
      const { sub, amr, preferred_username: name } = payload
      if (!isName(sub)) throw refused('sub: expected 1 to 256 characters')
      const grants = grantsOf(oidc, payload)
      if (grants.length === 0) throw new Refusal('forbidden', 'the token has none of the roles that are set here')
      if (oidc.requireMfa && !(Array.isArray(amr) && amr.includes('mfa'))) throw noMfa()
      return { kind: 'token', id: sub, name: isName(name) ? name : sub, grants, reason: null }
    },
  }
}

/** Of an access token, or of one by a provider that doesn't tell them apart; never of another kind of statement. */
const isUsable = (typ: unknown) =>
  typ === undefined || (typeof typ === 'string' && /^(application\/)?(at\+)?jwt$/i.test(typ))

/** Whether it is meant for this use, and is no token of the future: what the signature doesn't say. Throws a `Refusal`. */
function checkUse({ payload, protectedHeader: { typ } }: JWTVerifyResult, now: number): void {
  if (!isUsable(typ)) throw refused('typ: expected at+jwt, JWT, or none')
  if (payload.iat! > now / 1000 + TOLERANCE_SECONDS) throw refused('iat: expected a time that is not to come')
  // It is good only with a proof of its holder (RFC 9449, RFC 8705), which is not asked for here.
  if (payload.cnf !== undefined) throw refused('cnf: expected a token that is bound to no key')
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 256 && isOnOneLine(value)

const grantsOf = ({ roleClaim, roles }: CheckedOptions, payload: JWTPayload): Grant[] =>
  rolesIn(payload, roleClaim).flatMap((role) => {
    const found = Object.hasOwn(roles, role) ? roles[role] : undefined
    return found ? [{ sites: found.sites ?? null, scopes: found.scopes }] : []
  })

/** What stands under the claim of this name or at this path, `realm_access.roles`: a list, or a text with spaces. */
function rolesIn(payload: JWTPayload, claim: string): string[] {
  const own = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined
  // Some providers name claims by addresses, which have dots of their own.
  const value = own(payload, claim) ?? claim.split('.').reduce(own, payload as unknown)
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((role) => typeof role === 'string') : []
}

const refused = (detail: string) => unauthorized('token-refused', detail)

/** As RFC 9470 §3 asks for a stronger sign-in. */
const noMfa = () =>
  new Refusal('mfa-required', 'sign in with a second factor, so that amr has "mfa"', {
    headers: { 'www-authenticate': 'Bearer realm="avow", error="insufficient_user_authentication"' },
  })

/** What jose says may repeat the token. */
function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return refused('the token has expired')
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`${error.claim}: not what is expected here`)
  return error instanceof errors.JOSEError ? refused('that is not a token signed by the identity provider') : error
}

/** Keys are asked for anew after this: one that the provider gave up is gone here by then. */
const FRESH_MS = 600_000
/** Between two questions, whatever tokens come: one that names an unknown key may be anybody's. */
const COOLDOWN_MS = 30_000
/** While the provider can't be asked, the last keys are good for as long as this. */
const STALE_LIMIT_MS = 24 * 3_600_000
const ANSWER_TIMEOUT_MS = 5000
/** A key set has a few kilobytes. */
const ANSWER_LIMIT = 262_144

const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() })
const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** The provider's public keys, kept for a while. */
class ProviderKeys {
  readonly #issuer: string
  readonly #world: TokenWorld
  #keys: ReturnType<typeof createLocalJWKSet> | null = null
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  /** Null where the last question was answered. */
  #failure: string | null = null
  #asking: Promise<void> | null = null

  constructor(issuer: string, world: TokenWorld) {
    this.#issuer = issuer
    this.#world = world
  }

  /** The key that a token names. Rejects with `UnavailableError` where it can't be known. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#ageMs > FRESH_MS) await this.#ask()
    if (this.#keys === null || this.#ageMs > STALE_LIMIT_MS) throw this.#unavailable()
    try {
      return await this.#keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      // Made since: providers change their keys.
      await this.#ask()
      // It may be a key that the provider has and couldn't tell of.
      if (this.#failure !== null) throw this.#unavailable()
      return this.#keys(header, token)
    }
  }

  get #ageMs(): number {
    return this.#world.now() - this.#fetchedAt
  }

  #unavailable(): UnavailableError {
    return new UnavailableError(`the identity provider ${this.#issuer} can't be asked: ${this.#failure}`)
  }

  /** Asks, unless that was done a moment ago. */
  #ask(): Promise<void> {
    const now = this.#world.now()
    if (this.#asking === null && now - this.#triedAt >= COOLDOWN_MS) {
      this.#triedAt = now
      this.#asking = this.#fetchKeys(now).finally(() => {
        this.#asking = null
      })
    }
    return this.#asking ?? Promise.resolve()
  }

  async #fetchKeys(now: number): Promise<void> {
    try {
      const { issuer, jwks_uri } = discovery.parse(
        await this.#fetchJson(`${this.#issuer.replace(/\/$/, '')}/.well-known/openid-configuration`),
      )
      // OpenID Connect Discovery §4.3: else it speaks for somebody else.
      if (issuer !== this.#issuer) throw new Error(`it calls itself ${issuer}`)
      if (!isSafe(jwks_uri)) throw new Error('its keys are at no https address')
      this.#keys = createLocalJWKSet(keySet.parse(await this.#fetchJson(jwks_uri)) as JSONWebKeySet)
      this.#fetchedAt = now
      this.#failure = null
    } catch (error) {
      // Where there are no keys whoever asks is refused, and that is told there. Else this is all that is ever said, once.
      const { message } = error as Error
      if (this.#failure === null && this.#keys !== null)
        this.#world.warn(`the identity provider ${this.#issuer} can't be asked: ${message}`)
      this.#failure = message
    }
  }

  async #fetchJson(url: string): Promise<unknown> {
    const response = await this.#world.fetch(url, {
      headers: { accept: 'application/json' },
      // An address that leads elsewhere is not the one that the operator trusts.
      redirect: 'error',
      signal: this.#world.timeout(ANSWER_TIMEOUT_MS),
    })
    if (response.status !== 200) throw new Error(`${url} answers ${response.status}`)
    const text = await response.text()
    if (text.length > ANSWER_LIMIT) throw new Error(`${url} answers more than ${ANSWER_LIMIT} bytes`)
    return JSON.parse(text)
  }
}

/** Over plain http anybody on the way could put their own key there. */
function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
}
