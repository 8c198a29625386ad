/** Evidence as a page: what it says is what its bundle says, whatever a stranger had put into the records. */
import { createHash } from 'node:crypto'
import { Window } from 'happy-dom'
import { expect, test } from 'vitest'
import { verifyBundle } from '../bundle.js'
import { fingerprintOf } from '../fingerprint.js'
import { NOT_PROVED } from '../limits.js'
import { origin, signer, subject, testBundle } from '../test-bundle.js'
import { bundleInPage, createEvidencePage, isEvidencePage } from './document.js'

const pageOf = (bundle: any, script = 'check()') => createEvidencePage(bundle, script)

/** As a parser of markup reads it; nothing in it is run. */
function parse(html: string) {
  const { document } = new Window()
  return new new Window().DOMParser().parseFromString(html, 'text/html') as unknown as typeof document
}

test('the bundle comes out of the page as it went in, and verifies', () => {
  const { bundle } = testBundle()
  const { html } = pageOf(bundle)
  expect(isEvidencePage(html)).toBe(true)
  expect(JSON.parse(bundleInPage(html))).toEqual(bundle)
  expect(verifyBundle(JSON.parse(bundleInPage(html)), signer.vkey).records).toHaveLength(2)
})

test('it says without any script what was recorded, with which key, and what is not proved', () => {
  const document = parse(pageOf(testBundle().bundle).html)
  const said = document.querySelector('main')!.textContent!
  for (const words of [subject, origin, fingerprintOf(signer.vkey), 'Zürich €', 'May we count?', ...NOT_PROVED])
    expect(said).toContain(words)
  expect(said).toContain('Whoever made this page is the party it vouches for')
  const rows = [...document.querySelectorAll('tbody tr')].map((row) => row.textContent)
  expect(rows).toHaveLength(2)
  expect(rows[0]).toContain('analytics: granted')
  expect(rows[1]).toContain('analytics: denied')
  expect(document.getElementById('result')!.textContent).toContain('Not checked')
  expect(document.documentElement.getAttribute('lang')).toBe('en')
})

test('what was erased is told from what is there, and when', () => {
  const { bundle } = testBundle({ tombstone: { grade: 'erase', index: 2 } })
  Object.assign(bundle.records[0], { evidence: null, identity: null, secrets: { evidence: null, identity: null } })
  const rows = [...parse(pageOf(bundle).html).querySelectorAll('tbody tr')].map((row) => row.textContent)
  expect(rows[0]).toMatch(/^2(erased)+$/)
  expect(rows[2]).toContain('2026-06-01T00:00:00Zerase2request')
})

test('a time that nobody decided at, or that nobody believes, is not shown as if somebody had', () => {
  const { bundle } = testBundle()
  const [first, second] = bundle.records
  Object.assign(first.evidence, { clock: 'implausible', decidedAt: '9999-12-31T23:59:59.000Z' })
  Object.assign(second.evidence, {
    clock: 'ok',
    action: 'lapse',
    layer: 'server',
    decidedAt: '2026-05-01T00:00:00.000Z',
  })
  const decided = [...parse(pageOf(bundle).html).querySelectorAll('tbody tr')].map(
    (row) => row.children[2]!.textContent,
  )
  expect(decided).toEqual([
    '9999-12-31T23:59:59.000Z (implausible: the time of recording counts)',
    'by nobody: nothing known of the person since 2026-05-01T00:00:00.000Z',
  ])
})

test('a record whose person is not proved is told from those of the person', () => {
  const { bundle } = testBundle({ tombstone: { grade: 'unlink', index: 2 } })
  const person = (of: object) =>
    parse(pageOf(of).html)
      .querySelector('main')!
      .textContent!.match(/person is not proved/g)
  expect(person(bundle)).toBeNull()
  Object.assign(bundle.records[0], { identity: null, secrets: { ...bundle.records[0].secrets, identity: null } })
  expect(person(bundle)).toHaveLength(1)
  const rows = [...parse(pageOf(bundle).html).querySelectorAll('tbody tr')].map((row) => row.lastChild!.textContent)
  expect(rows.slice(0, 2)).toEqual(['unlinked: person not proved', 'id of withdraw'])
})

test('it is made by who answers for what was recorded last', () => {
  const { bundle } = testBundle()
  const [policy] = bundle.policies
  const of = (name: string, hash: string) => ({
    ...policy,
    hash,
    document: { ...policy.document, controller: { name } },
  })
  bundle.policies = [of('Another Company Ltd', 'older'), of('Example Ltd', policy.hash), of('Third Ltd', 'newer')]
  expect(pageOf(bundle).html).toContain('<dt>Made by</dt><dd>Example Ltd</dd>')
})

const HOSTILE = [
  '</script><script>steal()</script>',
  '<!--<script>',
  ']]><img src=x onerror=steal()>',
  '"><svg onload=steal()>',
  "' onmouseover='steal()",
  '`steal()`',
  '\u2028\u2029\u0000\u001b\u202e',
  '&lt;script&gt; &amp; &#60;',
  '{{constructor}}',
]

test('no value in a record, a policy or a notice breaks out of where it stands', () => {
  for (const words of HOSTILE) {
    const { bundle } = testBundle()
    const { evidence, identity } = bundle.records[0]
    Object.assign(bundle, { subject: words })
    Object.assign(evidence, { action: words, layer: words, recordedAt: words, choices: { [words]: true } })
    evidence.policy.version = words
    evidence.notice.language = words
    identity.id = words
    bundle.policies[0].document = { [words]: words, controller: { name: words, address: words, email: words } }
    bundle.policies[0].version = words
    bundle.notices[0].language = words
    bundle.notices[0].document = { language: words, dir: words, text: words, words: { [words]: [words] } }
    const document = parse(pageOf(bundle).html)
    const plain = parse(pageOf(testBundle().bundle).html)
    expect(document.querySelectorAll('script').length, words).toBe(2)
    expect(document.querySelectorAll('img, svg, iframe, form, link, object').length, words).toBe(0)
    for (const element of document.querySelectorAll('*'))
      for (const name of element.getAttributeNames()) expect(name, words).not.toMatch(/^on|style|src$|srcdoc/)
    expect(document.querySelectorAll('body > *').length).toBe(plain.querySelectorAll('body > *').length)
    expect(JSON.parse(bundleInPage(pageOf(bundle).html))).toEqual(bundle)
  }
})

test('what turns around or hides what is read is shown by its number', () => {
  const { bundle } = testBundle()
  const said = (text: string) => {
    bundle.notices[0].document.text = text
    return parse(pageOf(bundle).html).querySelector('blockquote')!.textContent
  }
  expect(said('a\u202eb\u0007c')).toBe('a[U+202E]b[U+0007]c')
  expect(said('no\u200bt \u00ad\ufeff\u2060\u3164\u{e0041}')).toBe(
    'no[U+200B]t [U+00AD][U+FEFF][U+2060][U+3164][U+E0041]',
  )
  expect(said('\u200dn\u200co')).toBe('[U+200D]n[U+200C]o')
  // How Persian is written, and a family.
  for (const written of [
    '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645',
    '\u{1f469}\u200d\u{1f467}',
    '\u2764\ufe0f',
  ])
    expect(said(written)).toBe(written)
})

test('its policy allows its own script and style, by their hashes, and nothing else', () => {
  const { html, csp } = pageOf(testBundle().bundle, 'const end = "</script>", open = "<!--"')
  const document = parse(html)
  const allowed = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const inline = [...document.querySelectorAll('script')].at(-1)!.textContent!
  expect(inline).toContain('\\x3c/script>')
  expect(csp).toContain(`script-src ${allowed(inline)};`)
  expect(csp).toContain(`style-src ${allowed(document.querySelector('style')!.textContent!)};`)
  expect(csp).toMatch(/^default-src 'none';/)
  expect(csp).not.toMatch(/unsafe|http/)
  expect(document.querySelector('meta[http-equiv="Content-Security-Policy"]')!.getAttribute('content')).toBe(csp)
  // Before anything that it is to hold back.
  expect(html.indexOf('http-equiv')).toBeLessThan(html.indexOf('<style'))
})

test('what its script knows of how a page is made is not taken for evidence', () => {
  const { bundle } = testBundle()
  const { html } = pageOf(bundle, `make('<script type="application/json" id="bundle">{}</script>')`)
  expect(JSON.parse(bundleInPage(html))).toEqual(bundle)
  const inline = [...parse(html).querySelectorAll('script')].at(-1)!.textContent!
  expect(pageOf(bundle, inline).html).toBe(html)
})

test('a page with no evidence, or with two to choose from, is refused', () => {
  const { html } = pageOf(testBundle().bundle)
  const hidden = `<!-- ${html.slice(html.indexOf('<script type='))} -->`
  expect(() => bundleInPage(html + hidden)).toThrow('holds evidence twice')
  expect(() => bundleInPage('<!doctype html><p>true</p>')).toThrow('holds no evidence')
})
