/**
 * `avow verify`: checks an evidence bundle, as JSON or in its page, or a receipt, offline; a whole log, in a folder or where it is served; or that
 * one checkpoint grew from another. Exit 0 true, 1 false, 2 could not check.
 */
import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { VerificationError } from '../merkle/verification-error.js'
import { InputError } from '../problem.js'
import { type VerifiedRecord, verifyBundle } from '../verify/bundle.js'
import { verifyGrowth, verifyLog } from '../verify/log.js'
import { bundleInPage, isEvidencePage } from '../verify/page/document.js'
import { openWitnessed, parseWitnessPolicy, type WitnessPolicy } from '../verify/policy.js'
import { verifyProofFile } from '../verify/proof.js'
import { parseUniqueJson } from '../verify/unique-keys.js'
import { isUrl, openLogSource, realWeb, type Web } from './log-source.js'
import { showProgress } from './progress.js'

interface Trust {
  readonly vkey: string
  readonly policy: WitnessPolicy | null
}

/** Rejects, for exit 2, if there is nothing to check, no key to check it with, or a log that can't be reached. */
export async function verify(args: string[], web: Web = realWeb(), print = console.log): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      vkey: { type: 'string' },
      policy: { type: 'string' },
      consistency: { type: 'boolean', default: false },
      log: { type: 'string' },
    },
  })
  const trust = readTrust(values.vkey, values.policy)
  try {
    const lines = values.consistency
      ? await checkGrowth(positionals, values.log, trust, web)
      : await check(positionals, trust, web)
    for (const line of lines) print(line)
    return 0
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    print(`false: ${error.message}`)
    return 1
  }
}

/** The key to check with: the one given, or the only log of the policy. */
function readTrust(vkey: string | undefined, file: string | undefined): Trust {
  const policy = file === undefined ? null : parseWitnessPolicy(readFileSync(file, 'utf8'))
  const known = policy?.logs ?? []
  if (vkey !== undefined && known.length > 0 && !known.includes(vkey))
    throw new InputError('--vkey', 'one of the logs of the policy')
  const key = vkey ?? (known.length === 1 ? known[0] : undefined)
  if (!key) {
    throw new InputError(
      '--vkey',
      'the public key of the log, from somewhere else than the file: whoever made the file could have put any key in it',
    )
  }
  return { vkey: key, policy }
}

async function check([what, ...rest]: string[], trust: Trust, web: Web): Promise<string[]> {
  if (!what || rest.length > 0)
    throw new InputError('FILE', 'one evidence bundle (.json or .html), receipt (.tlog-proof), folder or URL of a log')
  if (!isUrl(what) && !statSync(what).isDirectory()) return checkFile(readFileSync(what), trust)
  const { origin, size } = await verifyLog(openLogSource(what, web), trust, showProgress('verifying'))
  return [`true: all ${size} entries of ${origin}, every tile of every level, and the checkpoint agree`]
}

async function checkGrowth(
  [older, newer, ...rest]: string[],
  log: string | undefined,
  { vkey, policy }: Trust,
  web: Web,
): Promise<string[]> {
  if (!older || !newer || rest.length > 0)
    throw new InputError('--consistency', 'two files, the older checkpoint first')
  if (!log) throw new InputError('--log', 'the folder or URL of the log, whose tiles say how it grew')
  // The policy is about what is trusted today: an older checkpoint may be from before there were witnesses.
  const from = openWitnessed(decode(readFileSync(older)), vkey, null)
  const to = openWitnessed(decode(readFileSync(newer)), vkey, policy)
  await verifyGrowth(openLogSource(log, web), from, to)
  return [`true: the ${from.size} entries of ${older} are the first of the ${to.size} entries of ${newer}`]
}

/** What the file proves, line by line. Throws `VerificationError` with the first thing that is false. */
function checkFile(bytes: Uint8Array, { vkey, policy }: Trust): string[] {
  const text = decode(bytes)
  if (text.startsWith('c2sp.org/tlog-proof')) {
    const { index, size, origin, evidence } = verifyProofFile(text, vkey, policy)
    const told = evidence
      ? [row({ index, ...evidence, policyVersion: evidence.policy.version })]
      : ['its evidence was erased']
    return [`true: the record is in ${origin} of ${size} entries`, ...told]
  }
  const isPage = isEvidencePage(text)
  const json = isPage ? bundleInPage(text) : text
  let bundle: unknown
  try {
    bundle = parseUniqueJson(json)
  } catch (error) {
    if (error instanceof VerificationError) throw error
    // No JSON.
    throw new VerificationError('the file is neither an evidence bundle, nor a page with one, nor a receipt')
  }
  const { size, origin, subject, records, linked, unlinked, erased, policies, notices } = verifyBundle(
    bundle,
    vkey,
    policy,
  )
  return [
    `true: ${linked} records of ${subject} are in ${origin} of ${size} entries, with ${policies} policies and ${notices} notices`,
    ...(unlinked > 0 ? [`${unlinked} more whose person is not proved`] : []),
    ...(erased > 0 ? [`${erased} records have a part that was erased, as a tombstone proves`] : []),
    ...records.map((record) => `${row(record)}${record.isLinked ? '' : '  person not proved'}`),
    'The times of recording, and the time this file says it was made, are the operator’s word. That nothing is left out is not proved.',
    ...(isPage ? ['This is what the evidence in the page says. What else the page shows was not checked.'] : []),
  ]
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new VerificationError('the file is not UTF-8 text')
  }
}

function row({ index, recordedAt, action, choices, policyVersion }: Omit<VerifiedRecord, 'isLinked'>): string {
  const said = Object.entries(choices).map(([category, granted]) => `${category} ${granted ? 'granted' : 'denied'}`)
  return [String(index).padStart(8), recordedAt, action.padEnd(10), policyVersion, said.join(', ')].join('  ')
}
