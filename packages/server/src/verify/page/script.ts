/**
 * Runs in an evidence page alone, opened from wherever: checks the evidence that stands in the page, and that the page shows
 * what its evidence says. The key in the page is never trusted; who reads it may give the one they know.
 */
import { type Verified, verifyBundle } from '../bundle.js'
import { fingerprintOf } from '../fingerprint.js'
import { renderEvidence, type ShownBundle } from './render.js'

const find = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E

function show(kind: 'good' | 'bad' | '', headline: string, ...lines: readonly string[]): void {
  const title = document.createElement('p')
  const strong = document.createElement('strong')
  strong.textContent = headline
  title.append(strong)
  const paragraphs = lines.map((line) => {
    const paragraph = document.createElement('p')
    paragraph.textContent = line
    return paragraph
  })
  const result = find('result')
  result.className = kind
  result.dataset.result = kind
  result.replaceChildren(title, ...paragraphs)
}

/** Read once, before anything else in the browser, such as a translation, changes what is shown. */
const shown = find('evidence').innerHTML

/** Throws with the first thing that is false. */
function check(vkey: string): Verified {
  const bundle: unknown = JSON.parse(find('bundle').textContent ?? '')
  const verified = verifyBundle(bundle, vkey)
  const made = new DOMParser().parseFromString(
    `<!doctype html><main>${renderEvidence(bundle as ShownBundle)}</main>`,
    'text/html',
  )
  if (made.querySelector('main')?.innerHTML !== shown)
    throw new Error('what this page shows is not what its evidence says')
  return verified
}

function tell(): void {
  const given = find<HTMLInputElement>('expected').value.trim()
  try {
    const inside = (JSON.parse(find('bundle').textContent ?? '') as { vkey?: unknown }).vkey
    const vkey = given === '' ? String(inside) : given
    const { records, erased, policies, notices, origin, size } = check(vkey)
    const proved =
      `In the log ${origin} of ${size} entries, as shown below: records ${records.length}, with a part that was erased ${erased}, ` +
      `policies ${policies}, notices ${notices}.`
    if (given === '')
      show(
        '',
        'True if this is their key.',
        proved,
        `Everything agrees with the key that stands in the page itself, which whoever made the page chose. Its fingerprint is ${fingerprintOf(vkey)}. Compare it, and give the key that you know to be theirs.`,
      )
    else show('good', 'True for the key that you gave.', proved, 'What it does not prove is said below.')
  } catch (error) {
    // A false proof, a page that was changed, or a key that is none: it is not accepted, and this is why.
    show('bad', 'False, or not to be checked with this key.', error instanceof Error ? error.message : String(error))
  }
}

find('expected').addEventListener('input', tell)
tell()
