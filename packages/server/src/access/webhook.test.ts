import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { realOutside } from '../outsiders.js'
import { testWorld } from '../testing.js'
import type { Alarm } from './alarms.js'
import { createWebhook, parseWebhook } from './webhook.js'

const secret = new Uint8Array(32).fill(7)
const alarm: Alarm = {
  kind: 'many-rows',
  at: Date.parse('2026-11-23T10:00:00Z'),
  site: 'shop',
  who: { kind: 'key', id: 'key_ann', name: 'Ann' },
  route: 'GET /v1/audit/records',
  detail: '100 rows or more within an hour',
}

/** An address that answers what it is told to, and a world whose clock goes on when something waits. */
function world(answer: (tries: number) => Response | Error) {
  const got: { id: string; timestamp: string; signature: string; body: string }[] = []
  const due: [ms: number, call: () => void][] = []
  const warned: string[] = []
  const clock = { now: 1_000_000_000_000 }
  const webhook = createWebhook(
    { url: 'https://alarms.example/avow', secret },
    {
      async fetch(_url, { headers, body }) {
        const field = (name: string) => (headers as Record<string, string>)[name]!
        const [id, timestamp] = [field('webhook-id'), field('webhook-timestamp')]
        got.push({ id, timestamp, signature: field('webhook-signature'), body: body as string })
        const answered = answer(got.length)
        if (answered instanceof Error) throw answered
        return answered
      },
      timeout: () => new AbortController().signal,
      later(ms, call) {
        due.push([ms, call])
        return () => due.splice(0)
      },
      now: () => clock.now,
      warn: (line) => warned.push(line),
    },
  )
  const goOn = () => {
    const [ms, call] = due.shift()!
    clock.now += ms
    call()
  }
  return { webhook, got, due, warned, goOn }
}

const ok = () => new Response(null, { status: 204 })

test('an alarm is sent with a signature that covers its id, its time and its body', async () => {
  const { webhook, got } = world(ok)
  webhook.send(alarm)
  await expect.poll(() => got).toHaveLength(1)
  const { id, timestamp, signature, body } = got[0]!
  expect(timestamp).toBe('1000000000')
  expect(signature).toBe(`v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
  const { at: _, ...data } = alarm
  expect(JSON.parse(body)).toEqual({ type: 'many-rows', timestamp: '2026-11-23T10:00:00.000Z', data })
})

test('one that fails is sent again, later each time, under the same id and signed anew, and given up with a word', async () => {
  const { webhook, got, due, warned, goOn } = world((tries) =>
    tries === 1 ? new Error('refused') : new Response('', { status: 500 }),
  )
  webhook.send(alarm)
  for (const ms of [5000, 60_000, 600_000]) {
    await expect.poll(() => due.map(([wait]) => wait)).toEqual([ms])
    goOn()
  }
  await expect.poll(() => warned).toEqual(['an alarm could not be sent to alarms.example: it answers 500'])
  expect(new Set(got.map(({ id }) => id)).size).toBe(1)
  expect(new Set(got.map(({ signature }) => signature)).size).toBe(4)
  expect(due).toEqual([])
})

test('while the address is down no more wait than can be held, and closing lets go of them', async () => {
  const { webhook, due, warned } = world(() => new Error('down'))
  for (let i = 0; i < 120; i++) webhook.send(alarm)
  await expect.poll(() => warned).toHaveLength(20)
  expect(due).toHaveLength(100)
  await webhook.close()
  expect(due).toEqual([])
})

test('an address without a secret, or a secret that is short, is refused with the cure', () => {
  const good = Buffer.from(secret).toString('base64')
  expect(parseWebhook('', '')).toBeNull()
  for (const text of [good, `whsec_${good}`])
    expect(parseWebhook('https://a.example', text)).toEqual({ url: 'https://a.example', secret: Buffer.from(secret) })
  for (const [url, text, field] of [
    ['https://a.example', undefined, 'AVOW_ALARM_SECRET'],
    ['https://a.example', 'c2hvcnQ=', 'AVOW_ALARM_SECRET'],
    ['https://a.example', 'a secret that is no base64 at all', 'AVOW_ALARM_SECRET'],
    ['', good, 'AVOW_ALARM_URL'],
    ['a.example', good, 'AVOW_ALARM_URL'],
  ] as const)
    expect(() => parseWebhook(url, text)).toThrow(field)
})

test('a server posts its alarms to a real address', async () => {
  const got: string[] = []
  const server = createServer((request, response) => {
    got.push(String(request.headers['webhook-signature']))
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { avow, audit } = await testWorld({ alarms: { refusals: 1 }, webhook: { url, secret }, outside: realOutside })
  await audit('/records', 'nonsense')
  await expect.poll(() => got).toEqual([expect.stringMatching(/^v1,.{44}$/)])
  await avow.close()
  await new Promise((resolve) => server.close(resolve))
})
