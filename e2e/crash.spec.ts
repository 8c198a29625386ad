/** The machine dies right after it said "recorded": what it said stays true. */
import { avowSubmission } from '@avow/sdk/testing'
import type { Notice } from '@avow/sdk/wire'
import { test as base, expect } from '@playwright/test'
import { ask } from './support/audit.js'
import { createDataFolder, type DemoFacts, deleteDataFolder, startDemo } from './support/demo.js'
import { openCheckpoint, rootOf, verifyLog } from './support/public-log.js'

/** A data folder that outlives the servers of one story. */
const test = base.extend<{ data: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures it must hand in from this pattern.
  data: async ({}, use) => {
    const data = await createDataFolder()
    await use(data)
    await deleteDataFolder(data)
  },
})

/** What a browser would send after *Accept all*. */
async function submission(demo: DemoFacts) {
  const notice: Notice = await (await fetch(`${demo.apiUrl}/v1/sites/${demo.site}/notice?lang=en`)).json()
  return avowSubmission(demo.site, notice)
}

const send = (demo: DemoFacts, body: unknown) =>
  fetch(`${demo.apiUrl}/v1/consents`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: demo.url },
    body: JSON.stringify(body),
  })

test('a server killed right after a 201 has the record when it is back, and its log still verifies', async ({
  data,
}) => {
  let port: number | undefined
  const receipts: { id: string; index: number; subject: string; receipt: string }[] = []
  for (let life = 0; life < 3; life++) {
    const demo = await startDemo(data, port)
    port = Number(new URL(demo.url).port)
    const body = await submission(demo)
    const answer = await send(demo, body)
    await demo.end('SIGKILL')
    expect(answer.status).toBe(201)
    receipts.push(await answer.json())
  }

  const demo = await startDemo(data, port)
  try {
    const { head, entries } = await verifyLog(demo.logUrl, demo.vkey)
    for (const { id, index, subject, receipt } of receipts) {
      expect(await (await ask(demo, `records/${id}`)).json()).toMatchObject({ record: { id, index, subject } })
      // The checkpoint in the receipt is a prefix of the log as it is now: nothing was forked or rewritten.
      const then = openCheckpoint(receipt.slice(receipt.indexOf('\n\n') + 2), demo.vkey)
      expect(then.size).toBeGreaterThan(index)
      expect(then.size).toBeLessThanOrEqual(head.size)
      expect(rootOf(entries.slice(0, then.size)).toString('base64')).toBe(then.root)
    }
  } finally {
    await demo.end('SIGTERM')
  }
})

test('a submission sent again after the crash is answered with the same place in the log', async ({ data }) => {
  const first = await startDemo(data)
  const body = await submission(first)
  const recorded = await send(first, body)
  await first.end('SIGKILL')
  expect(recorded.status).toBe(201)

  const second = await startDemo(data, Number(new URL(first.url).port))
  try {
    const again = await send(second, body)
    expect(again.status).toBe(200)
    const [then, now] = [await recorded.json(), await again.json()]
    expect(now).toMatchObject({ id: then.id, index: then.index, subject: then.subject, recordedAt: then.recordedAt })
    const other = await send(second, { ...body, action: 'reject-all', choices: { analytics: false } })
    expect(other.status).toBe(409)
  } finally {
    await second.end('SIGTERM')
  }
})

test('asked to stop, the demo stops cleanly and starts again with all it had', async ({ data }) => {
  const first = await startDemo(data)
  const answer = await send(first, await submission(first))
  expect(answer.status).toBe(201)
  const { id } = await answer.json()
  const started = performance.now()
  expect(await first.end('SIGTERM')).toBe(0)
  expect(performance.now() - started).toBeLessThan(5000)

  const second = await startDemo(data, Number(new URL(first.url).port))
  try {
    expect(second).toMatchObject({ auditKey: first.auditKey, vkey: first.vkey })
    expect(await (await ask(second, `records/${id}`)).json()).toMatchObject({ record: { id } })
  } finally {
    await second.end('SIGTERM')
  }
})
