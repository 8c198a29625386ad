/** The privacy team's side: find a person's records, prove them without the network, hand over evidence that verifies. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { evidenceOf, logSize, recordsSince, runVerify } from './support/audit.js'
import type { Demo } from './support/demo.js'
import { expect, test } from './support/stories.js'
import { acceptAll, rejectAll, signIn } from './support/visitor.js'

/** Accepts, then withdraws in the account settings; says which subject that was. */
async function changeOfMind(page: Page, demo: Demo): Promise<string> {
  const before = await logSize(demo)
  await page.goto('/')
  await acceptAll(page).click()
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)
  await signIn(page)
  await page.goto('/account')
  const reloaded = page.waitForEvent('load')
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await reloaded
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(2)
  const [second] = await recordsSince(demo, before)
  if (!second) throw new Error('two records were just counted')
  return second.subject
}

/** The text with one bit of the byte at `index` turned over, as bytes: it may no longer be UTF-8. */
function flipped(text: string, index: number): Buffer {
  const bytes = Buffer.from(text)
  bytes[index] = bytes[index]! ^ 0x01
  return bytes
}

test('the privacy team finds both records by consent id and verifies them with the network cut', async ({
  page,
  demo,
  browser,
  witness,
}, testInfo) => {
  const subject = await changeOfMind(page, demo)

  const office = await browser.newContext()
  await witness.join(office)
  const desk = await office.newPage()
  await desk.goto(`${demo.auditUrl}#key=${demo.auditKey}`)
  await expect.poll(() => desk.url(), 'the key leaves the address bar').not.toContain(demo.auditKey)
  // Who works here is a visitor too: the banner asks them like anybody.
  await rejectAll(desk).click()
  await desk.getByTestId('list-records').click()
  await expect(desk.getByTestId('records').getByTitle(subject)).toHaveCount(2)
  await desk.getByTestId('subject').fill(subject)
  await desk.getByTestId('show-history').click()
  await expect(desk.getByTestId('history').locator('tbody tr')).toHaveCount(2)
  await desk.getByTestId('fetch-evidence').click()
  await expect(desk.getByTestId('verify')).toBeEnabled()

  await office.setOffline(true)
  await desk.getByTestId('verify').click()
  await expect(desk.getByTestId('verified').locator('tbody tr')).toHaveCount(2)
  await office.setOffline(false)

  const download = desk.waitForEvent('download')
  await desk.getByTestId('download-evidence').click()
  const file = testInfo.outputPath('evidence.json')
  await (await download).saveAs(file)
  const { status, said } = runVerify(file, demo.vkey)
  expect(said).toContain('withdraw')
  expect(status).toBe(0)
  await office.close()
})

test('avow verify exits 0 for evidence as downloaded, 1 after one flipped byte of what the log vouches for, 2 without a key', async ({
  page,
  demo,
}, testInfo) => {
  const subject = await changeOfMind(page, demo)
  const evidence = await evidenceOf(demo, subject)
  const file = testInfo.outputPath('evidence.json')

  await writeFile(file, evidence)
  expect(runVerify(file, demo.vkey)).toMatchObject({ status: 0 })
  expect(runVerify(file, null)).toMatchObject({ status: 2 })
  expect(runVerify(join(testInfo.outputDir, 'absent.json'), demo.vkey)).toMatchObject({ status: 2 })

  const size = Buffer.byteLength(evidence)
  const tries = 16
  for (let at = 0; at < tries; at++) {
    const index = Math.floor(((at + 0.5) * size) / tries)
    await writeFile(file, flipped(evidence, index))
    const { status, said } = runVerify(file, demo.vkey)
    expect(status, `byte ${index} of ${size} flipped: ${said}`).toBe(1)
  }
})
