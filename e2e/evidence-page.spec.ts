/** The evidence page, as a lawyer gets it: a file, opened without a network, which checks itself and says by whose key. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BrowserContext, Page } from '@playwright/test'
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

  const key = opened.getByLabel('The key that you know to be theirs')
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

test('a copy that was changed says what is false, in its evidence or in what it shows', async ({
  page,
  demo,
  browser,
}, testInfo) => {
  const { html } = await evidencePage(page, demo)
  const office = await browser.newContext()
  const changed: [name: string, html: string, words: string][] = [
    [
      'evidence',
      html.replaceAll('"analytics":true', '"analytics":false'),
      'evidence is not what the ledger committed to',
    ],
    ['time', html.replace(/("recordedAt":")\d{4}/, '$12020'), 'evidence is not what the ledger committed to'],
    ['shown', html.replace('<strong>granted</strong>', '<strong>denied</strong>'), 'what this page shows is not what'],
    ['asOf', html.replace(/("asOf":")\d{4}/, '$12020'), 'what this page shows is not what its evidence says'],
    ['silent', html.replace(/"notProved":\[[^\]]*\]/, '"notProved":[]'), 'is not what every bundle says'],
  ]
  for (const [name, text, words] of changed) {
    expect(text, name).not.toBe(html)
    const { opened, complaints, result } = await openFile(office, testInfo.outputPath(`${name}.html`), text)
    await expect(result, name).toHaveClass('bad')
    await expect(result, name).toContainText(words)
    await opened.getByLabel('The key that you know to be theirs').fill(demo.vkey)
    await expect(result, name).toHaveClass('bad')
    expect(complaints, name).toEqual([])
    await opened.close()
  }
  await office.close()
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
