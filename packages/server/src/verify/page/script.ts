/**
 * Runs in an evidence page alone, opened from wherever: checks the evidence that stands in the page, and that the page is the one
 * that its evidence makes, from its first word to its last. The key in the page is never trusted; who reads it may give the one
 * they know.
 */
import { type Verified, verifyBundle } from '../bundle.js'
import { fingerprintOf } from '../fingerprint.js'
import { parseUniqueJson } from '../unique-keys.js'
import { createEvidencePage } from './document.js'
import type { ShownBundle } from './render.js'

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

const script = document.currentScript?.textContent ?? ''

const readBundle = (): unknown => parseUniqueJson(find('bundle').textContent ?? '')

/** A page as markup, without its verdict: one that was saved from a browser may have some. */
function withoutVerdict({ documentElement }: Document): string {
  const page = documentElement.cloneNode(true) as HTMLElement
  const result = page.querySelector('#result')
  result?.replaceChildren()
  for (const name of ['class', 'data-result']) result?.removeAttribute(name)
  return page.outerHTML
}

/**
 * Whether the page is the one that its evidence makes. If so, that one is put in its place: markup may hide what it shows (in a
 * shadow tree), and the field for the key may have been filled in.
 */
function renew(): boolean {
  let made: Document
  try {
    made = new DOMParser().parseFromString(createEvidencePage(readBundle() as ShownBundle, script).html, 'text/html')
  } catch {
    // There is no evidence of that form, and whoever checks it will say so.
    return false
  }
  if (withoutVerdict(made) !== withoutVerdict(document)) return false
  document.body.replaceWith(made.body)
  return true
}

/** Once the whole page is there, and before anything else in the browser, such as a translation, changes it. */
let isOwn = false

/** Throws with the first thing that is false. */
function check(vkey: string): Verified {
  const verified = verifyBundle(readBundle(), vkey)
  if (!isOwn) throw new Error('what this page shows is not what its evidence says')
  return verified
}

function tell(): void {
  const given = find<HTMLInputElement>('expected').value.trim()
  try {
    const inside = (readBundle() as { vkey?: unknown }).vkey
    const vkey = given === '' ? String(inside) : given
    const { linked, unlinked, erased, policies, notices, origin, size } = check(vkey)
    const proved =
      `In the log ${origin} of ${size} entries, as shown below: records of this person ${linked}, ` +
      `${unlinked > 0 ? `records more whose person is not proved ${unlinked}, ` : ''}with a part that was erased ${erased}, ` +
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

document.addEventListener('DOMContentLoaded', () => {
  isOwn = renew()
  find('expected').addEventListener('input', tell)
  tell()
})
