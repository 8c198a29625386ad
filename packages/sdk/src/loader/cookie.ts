/**
 * The decision as a cookie, and back:
 * `1.<n>.<version>.<choices>.<decidedAt>.<lastActive>[.<secret>]`, numbers in base 36, times in seconds, choices as
 * `analytics1~other0`; in the jar percent-encoded like any cookie of js-cookie's. Reading is strict: what is off by one character is no decision, and never an exception.
 */
import type { Choices } from '../wire.js'
import { attempt } from './attempt.js'

/** Choices, when they were made and under which policy, as the browser keeps them. Times are epoch milliseconds. */
export interface Decision {
  /** Counts this browser's decisions. */
  readonly n: number
  readonly version: string
  readonly choices: Choices
  readonly decidedAt: number
  readonly lastActive: number
  /** 16 bytes, base64url; empty until there is a record to refer to. */
  readonly secret: string
}

const seconds = (ms: number) => Math.floor(ms / 1000).toString(36)

export function encodeDecision({ n, version, choices, decidedAt, lastActive, secret }: Decision): string {
  return [
    1,
    n.toString(36),
    encodeURIComponent(version).replace(/\./g, '%2E'),
    Object.keys(choices)
      .map((name) => name + +choices[name]!)
      .join('~'),
    seconds(decidedAt),
    seconds(lastActive) + (secret && `.${secret}`),
  ].join('.')
}

export function decodeDecision(value: string | null): Decision | null {
  return attempt(() => {
    const [, n, version, choices, decidedAt, lastActive, secret = ''] = value!.split('.')
    const number = (digits: string | undefined) => Number.parseInt(digits!, 36)
    const decision = {
      n: number(n),
      version: decodeURIComponent(version!),
      choices: Object.fromEntries(choices!.split('~').map((choice) => [choice.slice(0, -1), choice.endsWith('1')])),
      decidedAt: number(decidedAt) * 1000,
      lastActive: number(lastActive) * 1000,
      secret,
    }
    // One spelling only: what we would have written otherwise was not written by us.
    return decision.n > 0 &&
      decision.lastActive >= decision.decidedAt &&
      /^([\w-]{21}[AQgw])?$/.test(secret) &&
      encodeDecision(decision) === value
      ? decision
      : null
  }, true)
}
