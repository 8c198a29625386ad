/** Asks one witness for its cosignature of a checkpoint (c2sp.org/tlog-witness, `add-checkpoint`). */
import type { Head } from '../storage/storage.js'
import { encodeBase64 } from './base64.js'
import { cosignersAmong, parseSignatureLines } from './cosignature.js'
import { formatSignatureLine, parseNote, type Verifier } from './note.js'

/** A witness that checkpoints are submitted to. */
export interface WitnessTarget extends Verifier {
  /** What the operator calls it. */
  readonly alias: string
  /** The submission prefix. */
  readonly url: string
}

/** What submitting needs of the log, and of the world. */
export interface Submitting {
  /** Proof that the tree of size `from` is a prefix of the tree of size `to`. */
  readonly prove: (from: number, to: number) => Promise<Uint8Array[]>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Ends the request, whatever it waits for. */
  readonly signal: AbortSignal
}

/** Why there is no cosignature; for the operator to read. */
export class WitnessError extends Error {
  override name = 'WitnessError'
}

/** The witness has cosigned more entries than were submitted: another node was first, or this log is an older copy. */
export class WitnessAheadError extends WitnessError {
  readonly size: number

  constructor(alias: string, size: number, ours: number) {
    super(`${alias} has seen ${size} entries of this log, which has ${ours}: an older copy?`)
    this.size = size
  }
}

/** An answer is a few signature lines, or a number. Whoever answers must not fill this process' memory. */
const ANSWER_LIMIT = 64 * 1024

/** The head was asked about, the size told by the witness, and another size told: more means that nobody is listening. */
const TRIES = 3

/**
 * Answers the signature lines to append to the head's checkpoint. `from`: the size that this witness cosigned last, as
 * far as is known; it says itself where that is wrong. Rejects with `WitnessError`.
 */
export async function cosign(
  witness: WitnessTarget,
  head: Head,
  from: number,
  submitting: Submitting,
): Promise<string> {
  let old = Math.min(from, head.size)
  for (let tries = 1; tries <= TRIES; tries++) {
    const response = await submit(witness, head, old, submitting)
    const answer = await readAnswer(witness, response, submitting.signal)
    if (response.status === 200) return linesOf(witness, head, answer)
    if (response.status !== 409)
      throw new WitnessError(`${witness.alias} answered ${response.status}${meaning(response)}`)
    const size = sizeOf(witness, answer, response)
    if (size > head.size) throw new WitnessAheadError(witness.alias, size, head.size)
    if (size === old && size === head.size)
      throw new WitnessError(`${witness.alias} has seen another log of the same ${size} entries: a fork?`)
    if (size === old) throw new WitnessError(`${witness.alias} refused the size that it told itself`)
    old = size
  }
  throw new WitnessError(`${witness.alias} told another size each time`)
}

async function submit(
  { alias, url }: WitnessTarget,
  head: Head,
  old: number,
  { prove, fetch, signal }: Submitting,
): Promise<Response> {
  // From nothing, and to itself, there is nothing to prove.
  const proof = old === 0 || old === head.size ? [] : await prove(old, head.size)
  const lines = [`old ${old}`, ...proof.map(encodeBase64), '', head.checkpoint]
  try {
    return await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: lines.join('\n'),
      redirect: 'error',
      signal,
    })
  } catch (error) {
    throw new WitnessError(`${alias} can't be reached: ${reasonOf(error, signal)}`)
  }
}

async function readAnswer({ alias }: WitnessTarget, response: Response, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true })
      if (text.length > ANSWER_LIMIT) throw new Error('it does not end')
    }
  } catch (error) {
    throw new WitnessError(`the answer of ${alias} can't be read: ${reasonOf(error, signal)}`)
  }
  return text
}

/** Those lines that are this witness' own: others are nobody's we asked, and are not passed on. */
function linesOf(witness: WitnessTarget, head: Head, answer: string): string {
  try {
    const signatures = parseSignatureLines(answer).filter((one) => {
      return cosignersAmong(parseNote(head.checkpoint).text, [one], [witness]).length > 0
    })
    const [own] = signatures
    if (own) return formatSignatureLine(witness.name, witness.keyId, own.signature)
  } catch (error) {
    throw new WitnessError(`${witness.alias} answered with what is no cosignature: ${(error as Error).message}`)
  }
  throw new WitnessError(`${witness.alias} answered without a cosignature by its key`)
}

function sizeOf({ alias }: WitnessTarget, answer: string, response: Response): number {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim()
  const size = Number(answer.trimEnd())
  if (type !== 'text/x.tlog.size' || !/^\d{1,16}\n?$/.test(answer) || !Number.isSafeInteger(size)) {
    throw new WitnessError(`${alias} answered 409 without a size`)
  }
  return size
}

function meaning({ status }: Response): string {
  if (status === 403) return ': it does not know the key of this log'
  if (status === 404) return ': it does not know this log'
  if (status === 422) return ': this log did not grow from the one it has seen. A fork?'
  return ''
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it took too long'
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message
}
