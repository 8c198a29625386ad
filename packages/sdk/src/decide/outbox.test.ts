/** Every submission arrives once, whatever the network does. The server is a function handed in. */
import { expect, test } from 'vitest'
import type { Submission } from '../wire.js'
import { createOutbox } from './outbox.js'
import { createPending, type Kept } from './pending.js'

const kept = (id: string, more: Partial<Kept> = {}): Kept => ({
  id,
  site: 'fr-apiaas',
  secret: 'AAECAwQFBgcICQoLDA0ODw',
  action: 'accept-all',
  choices: { analytics: true },
  policy: { version: '2026-04', hash: 'h' },
  notice: { hash: 'n', language: 'en' },
  ui: '0',
  layer: 'banner',
  offered: ['reject-all', 'accept-all'],
  decidedAt: '2026-04-01T00:00:00.000Z',
  gpc: null,
  previous: null,
  sdk: '0.1.0',
  decision: null,
  ...more,
})

/**
 * A server that keeps each id once, after whatever answers stand before; `null` is a dead network. `meanwhile`: what happens
 * while the words are on their way.
 */
function world(answers: (Response | null)[] = [], meanwhile = () => {}) {
  const ledger = new Map<string, Submission>()
  const sendings: Submission[] = []
  const log: string[] = []
  const retries: { delayMs: number; retry: () => Promise<void> }[] = []
  const pending = createPending(localStorage, 'avow:test:0')
  localStorage.clear()
  const outbox = createOutbox({
    pending,
    async send(body) {
      const sent = JSON.parse(body) as Submission
      sendings.push(sent)
      const answer = answers.shift()
      if (answer === null) throw new TypeError('network')
      if (answer) return answer
      const isNew = !ledger.has(sent.id)
      ledger.set(sent.id, sent)
      return Response.json({ id: sent.id, state: 'granted' }, { status: isNew ? 201 : 200 })
    },
    now: () => Date.UTC(2026, 3, 1, 0, 0, 5),
    async notice() {
      meanwhile()
      return { hash: 'later', language: 'de' }
    },
    later: (delayMs, retry) => void retries.push({ delayMs, retry }),
    onRecorded: ({ id }, _, last) => log.push(`recorded ${id} ${last}`),
    onRefused: ({ id }) => log.push(`refused ${id}`),
  })
  return { pending, outbox, ledger, sendings, log, retries }
}

test('a submission arrives once, with its age', async () => {
  const { pending, outbox, sendings, log, retries } = world()
  pending.add(kept('1'))
  await Promise.all([outbox.flush(), outbox.flush()])
  await outbox.flush()
  expect(sendings.map(({ id, ageMs }) => [id, ageMs])).toEqual([['1', 5000]])
  expect([log, pending.list(), retries]).toEqual([['recorded 1 true'], [], []])
})

test('it is in storage before the first request', async () => {
  const { pending, outbox, sendings } = world([null])
  pending.add(kept('1'))
  expect(Object.keys(localStorage)).toEqual(['avow:test:01'])
  await outbox.flush()
  expect([sendings.length, Object.keys(localStorage).length]).toEqual([1, 1])
})

test('what only the browser needs of it doesn’t travel', async () => {
  const { pending, outbox, sendings } = world()
  pending.add(kept('1'))
  await outbox.flush()
  expect(Object.keys(sendings[0]!)).not.toContain('decision')
})

test('an answer that was lost leads to a second sending of the same id, and one record', async () => {
  const { pending, outbox, ledger, retries, log } = world()
  pending.add(kept('1'))
  ledger.set('1', { ...kept('1'), ageMs: 0 } as unknown as Submission)
  await outbox.flush()
  expect([ledger.size, log, retries]).toEqual([1, ['recorded 1 true'], []])
})

test.each([
  ['a dead network', null],
  ['500', new Response('', { status: 500 })],
  ['408', new Response('', { status: 408 })],
  ['425', new Response('', { status: 425 })],
  ['429', new Response('', { status: 429 })],
  ['422 unknown-policy', Response.json({ code: 'unknown-policy' }, { status: 422 })],
  ['a sign-in page that says 200', new Response('<html>', { status: 200 })],
  ['an answer to something else', Response.json({ id: '9' })],
])('after %s it is kept, and arrives with the retry', async (_, answer) => {
  const { pending, outbox, ledger, retries } = world([answer])
  pending.add(kept('1'))
  await outbox.flush()
  expect([pending.list().length, ledger.size, retries.length]).toEqual([1, 0, 1])
  await retries[0]?.retry()
  expect([pending.list().length, ledger.size]).toEqual([0, 1])
})

test.each([400, 403, 409, 410, 413, 422])('after %i it is dropped, and whoever decided is told', async (status) => {
  const { pending, outbox, log, retries } = world([Response.json({ code: 'x' }, { status })])
  pending.add(kept('1'))
  await outbox.flush()
  expect([log, pending.list(), retries]).toEqual([['refused 1'], [], []])
})

test('retries wait longer each time, as long as the server asks, and never twice at once', async () => {
  const busy = new Response('', { status: 429, headers: { 'retry-after': '60' } })
  const { pending, outbox, retries } = world([null, null, busy])
  pending.add(kept('1'))
  await outbox.flush()
  await outbox.flush()
  expect(retries.map(({ delayMs }) => delayMs)).toEqual([2000])
  await retries[0]?.retry()
  expect(retries.map(({ delayMs }) => delayMs)).toEqual([2000, 60_000])
})

test('a policy that one node does not know keeps nobody else waiting', async () => {
  const { pending, outbox, ledger } = world([Response.json({ code: 'unknown-policy' }, { status: 422 })])
  pending.add(kept('1'))
  pending.add(kept('2'))
  await outbox.flush()
  expect([[...ledger.keys()], pending.list().map(({ id }) => id)]).toEqual([['2'], ['1']])
})

test('a choice made without words on screen names its notice before it travels, and keeps it', async () => {
  const { pending, outbox, sendings, retries } = world([null])
  pending.add(kept('1', { notice: null }))
  await outbox.flush()
  expect(pending.list()[0]?.notice).toEqual({ hash: 'later', language: 'de' })
  await retries[0]?.retry()
  expect(sendings.map(({ notice }) => notice.hash)).toEqual(['later', 'later'])
})

test('what was given another secret while its words were on their way is sent, and kept, under that one', async () => {
  const other = 'DwAAAAAAAAAAAAAAAAAAAA'
  const made = world([null], () => made.pending.add(kept('1', { notice: null, secret: other, decision: null })))
  made.pending.add(kept('1', { notice: null, decision: '1.1.2026-04' }))
  await made.outbox.flush()
  expect(made.sendings).toMatchObject([{ secret: other, notice: { hash: 'later' } }])
  expect(made.pending.list()).toMatchObject([{ secret: other, decision: null, notice: { hash: 'later' } }])
})
