/** `avow verify FILE --vkey KEY`: checks an evidence bundle or a receipt, offline. Exit 0 true, 1 false, 2 could not check. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { VerificationError } from '../merkle/verification-error.js'
import { InputError } from '../problem.js'
import { type VerifiedRecord, verifyBundle } from '../verify/bundle.js'
import { verifyProofFile } from '../verify/proof.js'

/** Rejects, for exit 2, if there is nothing to check or no key to check it with. */
export async function verify(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { vkey: { type: 'string' } } })
  const [file] = positionals
  if (!file) throw new InputError('FILE', 'an evidence bundle (.json) or a receipt (.tlog-proof)')
  if (!values.vkey) {
    throw new InputError(
      '--vkey',
      'the public key of the log, from somewhere else than the file: whoever made the file could have put any key in it',
    )
  }
  const bytes = readFileSync(file)
  try {
    for (const line of describe(bytes, values.vkey)) console.log(line)
    return 0
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    console.log(`false: ${error.message}`)
    return 1
  }
}

/** What the file proves, line by line. Throws `VerificationError` with the first thing that is false. */
function describe(bytes: Uint8Array, vkey: string): string[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new VerificationError('the file is not UTF-8 text')
  }
  if (text.startsWith('c2sp.org/tlog-proof')) {
    const { index, size, origin, evidence } = verifyProofFile(text, vkey)
    const told = evidence
      ? [row({ index, ...evidence, policyVersion: evidence.policy.version })]
      : ['its evidence was erased']
    return [`true: the record is in ${origin} of ${size} entries`, ...told]
  }
  let bundle: unknown
  try {
    bundle = JSON.parse(text)
  } catch {
    throw new VerificationError('the file is neither an evidence bundle nor a receipt')
  }
  const { size, origin, subject, records, erased, policies, notices } = verifyBundle(bundle, vkey)
  return [
    `true: ${records.length} records of ${subject} are in ${origin} of ${size} entries, with ${policies} policies and ${notices} notices`,
    ...(erased > 0 ? [`${erased} records have a part that was erased, as a tombstone proves`] : []),
    ...records.map(row),
    'The times of recording are the operator’s word; that nothing is left out is not proved.',
  ]
}

function row({ index, recordedAt, action, choices, policyVersion }: VerifiedRecord): string {
  const said = Object.entries(choices).map(([category, granted]) => `${category} ${granted ? 'granted' : 'denied'}`)
  return [String(index).padStart(8), recordedAt, action.padEnd(10), policyVersion, said.join(', ')].join('  ')
}
