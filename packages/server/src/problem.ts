/** What can go wrong, as RFC 9457 answers. The one place where an error becomes a status. */
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import { UnavailableError } from './storage/storage.js'
import { KeyringError } from './vault/keyring.js'

/** Every `code` an answer may carry, with its status and title. A code, once released, keeps its meaning. */
export const PROBLEMS = {
  'invalid-input': [422, 'The request has a field that is missing, unknown or of the wrong form'],
  'malformed-json': [400, 'The body is not JSON'],
  'unsupported-media-type': [415, 'The body must be application/json'],
  'too-large': [413, 'The body is larger than this route takes'],
  'unknown-policy': [422, 'This server has not published the policy or notice that the submission cites'],
  conflict: [409, 'Another submission with this id was recorded before'],
  erased: [410, 'The record was erased'],
  'origin-refused': [403, 'The page asking is not on the list of the site'],
  unauthorized: [401, 'What would show who is asking is missing or not valid'],
  'account-refused': [401, 'The token does not show whose account it is'],
  'token-refused': [401, 'The token of the identity provider is not good here'],
  'mfa-required': [401, 'The sign-in behind the token had one factor, and this needs more'],
  'key-expired': [401, 'The API key has expired, or its secret was replaced'],
  'key-revoked': [401, 'The API key was revoked'],
  forbidden: [403, 'Who asks lacks the scope that this needs'],
  'wrong-site': [403, 'Who asks may not do so for this site'],
  'not-found': [404, 'There is nothing here'],
  'not-acceptable': [406, 'What is here has no such form'],
  'rate-limited': [429, 'Too many requests from this address'],
  unavailable: [503, 'The records cannot be written or read right now'],
  internal: [500, 'Something is wrong on the server'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>

export type ProblemCode = keyof typeof PROBLEMS

/** Input that is not of the form asked for. `expected` never repeats what was sent: it could be personal. */
export class InputError extends Error {
  override name = 'InputError'
  readonly field: string

  constructor(field: string, expected: string) {
    super(`${field}: expected ${expected}`)
    this.field = field
  }
}

/**
 * What zod refused, by its first issue. `whole` names the input where the issue is of no field; `before` stands in front of
 * the field where it is of one.
 */
export function inputErrorOf(
  error: { readonly issues: readonly z.core.$ZodIssue[] },
  whole: string,
  before = '',
): InputError {
  const [issue] = error.issues
  // An unknown field is named by its key, everything else by its path.
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const field = [...(issue?.path ?? []), ...unknown].join('.')
  return new InputError(
    field === '' ? whole : before + field,
    unknown.length > 0 ? 'no such field' : (issue?.message ?? 'another value'),
  )
}

/** A request that is understood and refused. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly code: ProblemCode
  readonly field: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, more: { field?: string; headers?: Record<string, string> } = {}) {
    super(detail)
    this.code = code
    this.field = more.field ?? null
    this.headers = more.headers ?? {}
  }
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ProblemCode
  readonly detail: string
  readonly field?: string
}

function answer(
  c: Context,
  code: ProblemCode,
  detail: string,
  field: string | null,
  headers: Readonly<Record<string, string>>,
) {
  const [status, title] = PROBLEMS[code]
  const problem: Problem = {
    type: `urn:avow:problem:${code}`,
    title,
    status,
    code,
    detail,
    ...(field === null ? {} : { field }),
  }
  return c.body(JSON.stringify(problem), status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...headers,
  })
}

function codeOf(error: unknown): ProblemCode {
  if (error instanceof Refusal) return error.code
  if (error instanceof InputError) return 'invalid-input'
  // Another node has rotated the key: this one can open nothing until it is started with the new file, which is said.
  if (error instanceof UnavailableError || error instanceof KeyringError) return 'unavailable'
  // Hono's own refusals: a body that is not JSON, a path that does not decode.
  return error instanceof HTTPException && error.status < 500 ? 'malformed-json' : 'internal'
}

/** The HTTP status that an error is answered with. */
export const statusOf = (error: unknown): number => PROBLEMS[codeOf(error)][0]

/** Answers an error that reached the edge; what is the server's own fault is logged here, once. */
export function problemAnswer(error: Error, c: Context, log: (line: string) => void): Response {
  if (error instanceof InputError) return answer(c, 'invalid-input', error.message, error.field, {})
  if (error instanceof Refusal) return answer(c, error.code, error.message, error.field, error.headers)
  const code = codeOf(error)
  if (code === 'unavailable') {
    log(`unavailable: ${c.req.method} ${c.req.routePath}: ${error.message}`)
    return answer(c, code, 'try again in a moment', null, { 'retry-after': '5' })
  }
  if (code === 'malformed-json') return answer(c, code, 'the body could not be read as JSON', 'body', {})
  log(`internal: ${c.req.method} ${c.req.routePath}: ${error.stack ?? error.message}`)
  return answer(c, 'internal', 'the log of the server says more', null, {})
}

export function notFound(c: Context): Response {
  return answer(c, 'not-found', 'no route of this address and method', null, {})
}
