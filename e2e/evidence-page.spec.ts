/** The evidence page, as a lawyer gets it: a file, opened without a network, which checks itself and says by whose key. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContext, Page, TestInfo } from '@playwright/test'
import { ask, evidenceOf, logSize, recordsSince, runVerify } from './support/audit.js'
import { violations } from './support/axe.js'
import type { Demo } from './support/demo.js'
import { expect, test } from './support/stories.js'
import { acceptAll } from './support/visitor.js'

/** The page about somebody who has just accepted. */
async function evidencePage(page: Page, demo: Demo): Promise<{ html: string; subject: string }> {
  const before = await logSize(demo)
  await page.goto('/')
  await acceptAll(page).click()
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)
  const [{ subject } = { subject: '' }] = await recordsSince(demo, before)
  return { html: await (await ask(demo, `subjects/${subject}/evidence?format=html`)).text(), subject }
}

/** What a file in a browser without a network shows, and what went wrong in it. */
async function openFile(context: BrowserContext, file: string, html: string) {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, html)
  await context.setOffline(true)
  const asked: string[] = []
  const complaints: string[] = []
  const opened = await context.newPage()
  opened.on('request', (request) => asked.push(request.url()))
  opened.on('console', (message) => complaints.push(message.text()))
  opened.on('pageerror', (error) => complaints.push(error.message))
  const address = pathToFileURL(file).href
  await opened.goto(address)
  expect(asked).toEqual([address])
  return { opened, complaints, result: opened.locator('#result') }
}

/** Opens one file after the other in a browser without a network, and has each looked at. */
async function openEach(
  browser: Browser,
  testInfo: TestInfo,
  files: readonly (readonly [name: string, html: string])[],
  look: (file: Awaited<ReturnType<typeof openFile>>, name: string) => Promise<void>,
): Promise<void> {
  const office = await browser.newContext()
  for (const [name, html] of files) {
    const file = await openFile(office, testInfo.outputPath(`${name}.html`), html)
    await look(file, name)
    await file.opened.close()
  }
  await office.close()
}

const keyField = (opened: Page) => opened.getByLabel('The key that you know to be theirs')

test('the page checks itself from a file with the network cut, and is true only for the key that the reader gives', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html, subject } = await evidencePage(page, demo)
  const file = testInfo.outputPath('evidence.html')
  const office = await browser.newContext({ bypassCSP: false })
  const { opened, complaints, result } = await openFile(office, file, html)

  // By itself it can't say more: its key is its maker's.
  await expect(result).toContainText('True if this is their key')
  await expect(result).not.toHaveClass('good')
  const { records } = JSON.parse(await evidenceOf(demo, subject))
  await expect(opened.getByRole('table').locator('tbody tr')).toHaveCount(records.length)
  await expect(opened.getByRole('table')).toContainText('granted')
  await expect(opened.locator('main')).toContainText('What this does not prove')

  const key = keyField(opened)
  await key.fill(demo.vkey)
  await expect(result).toHaveClass('good')
  await expect(result).toContainText('True for the key that you gave')
  const other = demo.vkey.replace(/\+[0-9a-f]{8}\+.*/, '+00000000+AAAA')
  await key.fill(other)
  await expect(result).toHaveClass('bad')
  await key.fill('')
  await expect(result).toContainText('True if this is their key')
  expect(complaints).toEqual([])

  expect(runVerify(file, demo.vkey)).toMatchObject({ status: 0 })
  expect(runVerify(file, null)).toMatchObject({ status: 2 })
  await office.close()
})

/** What somebody puts into a page beside its evidence and its script, which they leave as they are. */
const FORGED: [name: string, from: string | RegExp, to: string][] = [
  ['above', '</h1>', '</h1><p>Checked by the data protection authority.</p>'],
  ['below', '</main>', '</main><table><tr><td>marketing: <strong>granted</strong></td></tr></table>'],
  ['hidden', '<main id="evidence">', '<main hidden id="evidence"></main><main>analytics: granted</main><main hidden>'],
  ['unseen', '<main id="evidence">', '<p>analytics: granted</p><main id="evidence" hidden>'],
  [
    'last',
    /<\/body>\s*<\/html>\s*$/,
    '<section><h2>What was recorded later</h2><p>marketing: granted</p></section></body></html>',
  ],
  ['behind', /$/, 'marketing: granted'],
  ['titled', '<title>', '<title>Approved. '],
  ['loose', 'http-equiv="Content-Security-Policy"', 'name="no-policy"'],
  ['field', 'placeholder="name+0123abcd+…"', 'placeholder="checked already"'],
]

test('a copy that was changed says what is false, in its evidence or in what it shows', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html } = await evidencePage(page, demo)
  const changed: [name: string, html: string, words: string][] = [
    [
      'evidence',
      html.replaceAll('"analytics":true', '"analytics":false'),
      'evidence is not what the ledger committed to',
    ],
    ['time', html.replace(/("recordedAt":")\d{4}/, '$12020'), 'evidence is not what the ledger committed to'],
    ['shown', html.replace('<strong>granted</strong>', '<strong>denied</strong>'), 'what this page shows is not what'],
    ['asOf', html.replace(/("asOf":")\d{4}/, '$12999'), 'what this page shows is not what its evidence says'],
    ['early', html.replace(/("asOf":")\d{4}/, '$12020'), 'asOf is before record'],
    [
      'twofold',
      html.replace('"choices":{', '"choices":{"analytics":false},"choices":{'),
      'an object in the file has the same name twice',
    ],
    ...FORGED.map(
      ([name, from, to]) =>
        [name, html.replace(from, to), 'what this page shows is not what'] as [string, string, string],
    ),
    ['silent', html.replace(/"notProved":\[[^\]]*\]/, '"notProved":[]'), 'is not what every bundle says'],
  ]
  for (const [name, text] of changed) expect(text, name).not.toBe(html)
  const wordsOf = new Map(changed.map(([name, , words]) => [name, words]))
  const files = changed.map(([name, text]) => [name, text] as const)
  await openEach(browser, testInfo, files, async ({ opened, complaints, result }, name) => {
    await expect(result, name).toHaveClass('bad')
    await expect(result, name).toContainText(wordsOf.get(name)!)
    await keyField(opened).fill(demo.vkey)
    await expect(result, name).toHaveClass('bad')
    expect(complaints, name).toEqual([])
  })
})

/** The page as somebody makes it who has a key of the same name, and vouches for it with that. */
function signedAnew(html: string): { html: string; vkey: string } {
  const bundle = JSON.parse(/ id="bundle">(.*?)<\/script>/s.exec(html)![1]!)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
  // Base64 may have a plus of its own.
  const [name = '', , ...known] = bundle.vkey.split('+')
  const typed = Buffer.concat([Buffer.of(1), key])
  const id = createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4)
  const vkey = `${name}+${id.toString('hex')}+${typed.toString('base64')}`
  const text = bundle.checkpoint.slice(0, bundle.checkpoint.indexOf('\n\n') + 1)
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString('base64')
  const fingerprint = (of: Uint8Array) => createHash('sha256').update(of).digest('hex').match(/.{8}/g)!.join(' ')
  const inJson = (note: string) => JSON.stringify(note).slice(1, -1)
  const anew: [from: string, to: string][] = [
    [bundle.vkey, vkey],
    [fingerprint(Buffer.from(known.join('+'), 'base64').subarray(1)), fingerprint(key)],
    [inJson(bundle.checkpoint), inJson(`${text}\n— ${name} ${signature}\n`)],
  ]
  return { html: anew.reduce((page, [from, to]) => page.replaceAll(from, () => to), html), vkey }
}

test('a page is true of nobody’s key until the reader has typed one, whatever its maker had typed before', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html, vkey } = signedAnew((await evidencePage(page, demo)).html)
  await openEach(browser, testInfo, [['anew', html]], async ({ opened, result }) => {
    await expect(result).toContainText('True if this is their key')
    await keyField(opened).fill(demo.vkey)
    await expect(result).toHaveClass('bad')
  })
  const filled = [`value="${vkey}"`, `type="hidden" value="${vkey}"`].map(
    (attributes, i) =>
      [`filled-${i}`, html.replace('<input id="expected"', `<input id="expected" ${attributes}`)] as const,
  )
  await openEach(browser, testInfo, filled, async ({ result }, name) => {
    await expect(result, name).toHaveClass('bad')
  })
})

test('what markup shows in the place of the evidence, and keeps out of the page’s own text, is gone', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html } = await evidencePage(page, demo)
  const forged = ['open', 'closed'].map((mode) => {
    const shadow = `<template shadowrootmode="${mode}"><p>marketing: granted</p></template>`
    return [mode, html.replace('<main id="evidence">', (main) => main + shadow)] as const
  })
  await openEach(browser, testInfo, forged, async ({ opened, result }) => {
    await keyField(opened).fill(demo.vkey)
    await expect(result).toHaveClass('good')
    await expect(opened.getByText('marketing: granted')).toHaveCount(0)
    await expect(opened.getByRole('table')).toBeVisible()
    await expect(opened.getByRole('heading', { name: 'What this does not prove' })).toBeVisible()
  })
})

test('the page can be read without its script, on paper, in the dark, narrow, and by who can’t see it', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html, subject } = await evidencePage(page, demo)
  const file = testInfo.outputPath('evidence.html')

  const without = await browser.newContext({ javaScriptEnabled: false })
  const plain = await openFile(without, file, html)
  await expect(plain.opened.getByRole('table')).toContainText('granted')
  await expect(plain.opened.locator('main')).toContainText(subject)
  await expect(plain.result).toContainText('Not checked')
  await without.close()

  for (const colorScheme of ['light', 'dark'] as const) {
    const office = await browser.newContext({ colorScheme, bypassCSP: true, viewport: { width: 1000, height: 700 } })
    const { opened } = await openFile(office, file, html)
    await expect(opened.locator('#result')).toContainText('True if')
    expect(await violations(opened), colorScheme).toEqual([])
    await opened.setViewportSize({ width: 320, height: 600 })
    const overflow = await opened.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow, 'nothing but tables is wider than the screen').toBeLessThanOrEqual(0)
    await opened.emulateMedia({ media: 'print' })
    await expect(opened.getByLabel('The key that you know to be theirs')).toBeHidden()
    await opened.screenshot({ path: testInfo.outputPath(`${colorScheme}.png`) })
    await office.close()
  }
})
