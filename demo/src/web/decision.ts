/** Reads what a decision left behind: the consent cookie, and the receipt the server gave. For showing only; obeying it is Avow's. */

export interface ShownDecision {
  readonly count: number
  readonly policyVersion: string
  readonly choices: Readonly<Record<string, boolean>>
  readonly decidedAt: Date
  readonly lastActive: Date
  /** Whether the cookie holds a secret that ties it to a record. */
  readonly hasSecret: boolean
}

export interface ShownReceipt {
  readonly index: number
  readonly size: number
  readonly proofSize: number
  readonly checkpoint: string
}

/** The consent cookie of a `document.cookie`; null where there is none or it can't be read. */
export function parseDecision(cookies: string): ShownDecision | null {
  const value = cookies.match(/(?:^|; )(?:__Host-|__Secure-)?avow=([^;]*)/)?.[1]
  if (!value) return null
  const [format, count, version, choices, decidedAt, lastActive, secret] = unescaped(value).split('.')
  if (format !== '1' || !count || !version || !choices || !decidedAt || !lastActive) return null
  const entries = choices.split('~').map((each) => [each.slice(0, -1), each.endsWith('1')] as const)
  const at = (text: string) => new Date(Number.parseInt(text, 36) * 1000)
  const decision = {
    count: Number.parseInt(count, 36),
    policyVersion: unescaped(version),
    choices: Object.fromEntries(entries),
    decidedAt: at(decidedAt),
    lastActive: at(lastActive),
    hasSecret: Boolean(secret),
  }
  const isWhole = !Number.isNaN(decision.count + decision.decidedAt.getTime() + decision.lastActive.getTime())
  return isWhole ? decision : null
}

/** A c2sp.org/tlog-proof file: where the record is, in a log of which size, signed by whom. */
export function parseReceipt(text: string): ShownReceipt | null {
  const index = text.match(/^index (\d+)$/m)?.[1]
  const split = text.indexOf('\n\n')
  if (!index || split < 0) return null
  const checkpoint = text.slice(split + 2)
  const size = Number(checkpoint.split('\n')[1])
  const proofSize = text
    .slice(0, split)
    .split('\n')
    .filter((line) => /^[A-Za-z0-9+/]{43}=$/.test(line)).length
  return Number.isSafeInteger(size) ? { index: Number(index), size, proofSize, checkpoint } : null
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not escaped as it should be: shown as it stands.
    return text
  }
}
