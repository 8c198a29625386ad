/** The traffic panel's memory: whose events are shown to whom, and how many. */
import { expect, test } from 'vitest'
import { type AnalyticsEvent, createTraffic, parseEvents } from './traffic.js'

const event = (path: string): AnalyticsEvent => ({
  type: 'page-view',
  path,
  detail: null,
  receivedAt: '2026-11-01T00:00:00.000Z',
})

test('a browser is shown its own events and nobody else’s', () => {
  const traffic = createTraffic()
  const seen: string[] = []
  const leave = traffic.watch('ann', ({ path }) => seen.push(path))
  traffic.add('ann', [event('/a')])
  traffic.add('ben', [event('/b')])
  leave()
  traffic.add('ann', [event('/c')])
  expect(seen).toEqual(['/a'])
  expect(traffic.recent('ann').map(({ path }) => path)).toEqual(['/a', '/c'])
  expect(traffic.recent('cleo')).toEqual([])
})

test('only the last events of the last browsers are kept', () => {
  const traffic = createTraffic()
  for (let n = 0; n < 100; n++) traffic.add('ann', [event(`/${n}`)])
  expect(traffic.recent('ann').length).toBe(30)
  expect(traffic.recent('ann').at(-1)?.path).toBe('/99')
  for (let n = 0; n < 200; n++) traffic.add(`other-${n}`, [event('/')])
  expect(traffic.recent('ann')).toEqual([])
  expect(traffic.recent('other-199').length).toBe(1)
})

test.each([
  [null, 'events'],
  [{ events: [] }, 'events'],
  [{ events: Array(51).fill(event('/')) }, 'events'],
  [{ events: [null] }, 'events.0.type'],
  [{ events: [{ type: 'click', path: '/' }] }, 'events.0.type'],
  [{ events: [event('/'), { type: 'feature', path: 'https://x' }] }, 'events.1.path'],
  [{ events: [{ type: 'feature', path: '/', detail: 'x'.repeat(201) }] }, 'events.0.detail'],
])('events that are not what the script sends are refused by field: %j', (input, field) => {
  expect(() => parseEvents(input, '2026-11-01T00:00:00.000Z')).toThrow(expect.objectContaining({ field }))
})
