/** Whose cosignatures a checkpoint needs (c2sp.org/tlog-policy): logs, witnesses, groups of k, and the quorum. Nothing of consent policies. */
import { EncodingError } from '../ledger/base64.js'
import { type Checkpoint, openCheckpoint } from '../ledger/checkpoint.js'
import { cosignersOf, parseWitnessKey } from '../ledger/cosignature.js'
import { parseVkey, type Verifier } from '../ledger/note.js'
import { VerificationError } from '../merkle/verification-error.js'

/** Logs, witnesses and groups of one file, each; the specification asks for at least 32. */
const LIMIT = 256

/** A witness: its key, the name this policy gives it, and where checkpoints are submitted. */
export interface Witness extends Verifier {
  readonly alias: string
  readonly url: string | null
}

export interface WitnessPolicy {
  /** Verifier keys of the logs it is about; where there are none, the log is known from elsewhere. */
  readonly logs: readonly string[]
  readonly witnesses: readonly Witness[]
  /** The name of the quorum, for messages. */
  readonly quorum: string
  /** Whether these witnesses, by their `alias`, are enough. */
  isMet(cosigned: ReadonlySet<string>): boolean
}

type IsMet = WitnessPolicy['isMet']

/** Refuses with an `EncodingError` that names the line: a policy one can't read is not yet a false proof. */
export function parseWitnessPolicy(text: string): WitnessPolicy {
  const logs: string[] = []
  const witnesses: Witness[] = []
  const names = new Map<string, IsMet>()
  const members = new Set<string>()
  let quorum: { name: string; isMet: IsMet } | null = null
  const keys = new Set<string>()
  const define = (name: string, isMet: IsMet) => {
    if (name === 'none' || names.has(name)) throw new EncodingError(`the name ${name} is taken`)
    if (names.size >= LIMIT) throw new EncodingError(`more than ${LIMIT} witnesses and groups`)
    names.set(name, isMet)
  }
  const defined = (name: string): IsMet => {
    const isMet = names.get(name)
    if (!isMet) throw new EncodingError(`${name} is not defined above`)
    return isMet
  }
  const addKey = (kind: string, { publicKey }: Verifier) => {
    const key = `${kind} ${publicKey.join()}`
    if (keys.has(key)) throw new EncodingError(`the same key twice`)
    keys.add(key)
  }
  const readLine = ([word, ...rest]: string[]) => {
    if (word === 'log' && (rest.length === 1 || rest.length === 2)) {
      if (logs.length >= LIMIT) throw new EncodingError(`more than ${LIMIT} logs`)
      addKey('log', parseVkey(rest[0]!))
      logs.push(rest[0]!)
    } else if (word === 'witness' && (rest.length === 2 || rest.length === 3)) {
      const [alias, vkey, url = null] = rest as [string, string, string?]
      const key = parseWitnessKey(vkey)
      addKey('witness', key)
      define(alias, (cosigned) => cosigned.has(alias))
      witnesses.push({ ...key, alias, url })
    } else if (word === 'group' && rest.length >= 3) {
      const [name, threshold, ...of] = rest as [string, string, ...string[]]
      const rules = of.map(defined)
      // So that one witness counts in one way only.
      for (const member of of) {
        if (members.has(member)) throw new EncodingError(`${member} is a member already`)
        members.add(member)
      }
      const least = thresholdOf(threshold, of.length)
      define(name, (cosigned) => rules.filter((isMet) => isMet(cosigned)).length >= least)
    } else if (word === 'quorum' && rest.length === 1) {
      if (quorum) throw new EncodingError('a second quorum')
      const [name] = rest as [string]
      quorum = { name, isMet: name === 'none' ? () => true : defined(name) }
    } else {
      throw new EncodingError('expected log, witness, group or quorum with what belongs to it')
    }
  }
  for (const [at, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter(Boolean)
    if (words.length === 0 || words[0]!.startsWith('#')) continue
    try {
      readLine(words)
    } catch (error) {
      // Thrown on, with the place.
      throw new EncodingError(`policy, line ${at + 1}: ${(error as Error).message}`)
    }
  }
  if (!quorum) throw new EncodingError('policy: there is no quorum line')
  const { name, isMet } = quorum as { name: string; isMet: IsMet }
  return { logs, witnesses, quorum: name, isMet }
}

function thresholdOf(word: string, of: number): number {
  if (word === 'all') return of
  if (word === 'any') return 1
  if (!/^[1-9]\d{0,3}$/.test(word) || Number(word) > of) throw new EncodingError(`expected any, all, or 1 to ${of}`)
  return Number(word)
}

/** The head that the holder of this key signed, and enough witnesses cosigned where a policy says whose are needed. */
export function openWitnessed(note: string, vkey: string, policy: WitnessPolicy | null): Checkpoint {
  const checkpoint = openCheckpoint(note, vkey)
  if (!policy) return checkpoint
  const cosigned = cosignersOf(note, policy.witnesses).map(({ alias }) => alias)
  if (!policy.isMet(new Set(cosigned))) {
    const by = cosigned.length === 0 ? 'no witness of the policy' : cosigned.join(', ')
    throw new VerificationError(
      `checkpoint of ${checkpoint.size} entries is cosigned by ${by}: the quorum ${policy.quorum} is not met`,
    )
  }
  return checkpoint
}
