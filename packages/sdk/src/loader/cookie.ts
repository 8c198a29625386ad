/**
 * The decision as a cookie, and back:
 * `1.<n>.<version>.<choices>.<decidedAt>.<lastActive>[.<secret>]`, numbers in base 36, times in seconds, choices as
 * `analytics1~other0`, a grant made in spite of Global Privacy Control as `analytics2`; in the jar percent-encoded.
 * Reading is strict: what is off by one character is no decision, and never an exception.
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
  /** What is granted was granted while the browser said "Global Privacy Control". */
  readonly gpc: boolean
}

const seconds = (ms: number) => Math.floor(ms / 1000).toString(36)

export function encodeDecision({ n, version, choices, decidedAt, lastActive, secret, gpc }: Decision): string {
  return [
    1,
    n.toString(36),
    encodeURIComponent(version).replace(/\./g, '%2E'),
    Object.keys(choices)
      .map((name) => name + (choices[name] ? 1 + +gpc : 0))
      .join('~'),
    seconds(decidedAt),
    seconds(lastActive) + (secret && `.${secret}`),
  ].join('.')
}

export function decodeDecision(value: string | null): Decision | null {
  return attempt(() => {
    const [, n, version, choices, decidedAt, lastActive, secret = ''] = value!.split('.')
    const number = (digits: string | undefined) => parseInt(digits!, 36)
    const decision = {
      n: number(n),
      version: decodeURIComponent(version!),
      choices: Object.fromEntries(choices!.split('~').map((choice) => [choice.slice(0, -1), !choice.endsWith('0')])),
      decidedAt: number(decidedAt) * 1000,
      lastActive: number(lastActive) * 1000,
      secret,
      gpc: /2(~|$)/.test(choices!),
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

/** How many categories are granted. */
export const countGrants = ({ choices }: Pick<Decision, 'choices'>): number =>
  Object.values(choices).filter(Boolean).length

/**
 * Above zero where `a` is the newer of two decisions of one browser. The count decides: clocks move. Two tabs that decide
 * at once count alike; then the one that grants less is taken, and only then the clock. Activity makes no
 * decision newer: whichever is read last counts, which is an hour early at most.
 */
export function compareDecisions(a: Decision, b: Decision): number {
  return a.n - b.n || countGrants(b) - countGrants(a) || a.decidedAt - b.decidedAt
}
