import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { testPolicy } from '../testing.js'
import { agentFamily, composeLapse, composeRecord, type ParsedSubmission, subjectOf } from './record.js'

test('the subject is the hash that formats.md gives, and differs from site to site', () => {
  const secret = Buffer.alloc(16, 7)
  const preimage = Buffer.concat([Buffer.from('avow/subject/v1shop'), Buffer.of(0), secret])
  expect(subjectOf('shop', secret.toString('base64url'))).toBe(
    createHash('sha256').update(preimage).digest('base64url'),
  )
  expect(subjectOf('shop', secret.toString('base64url'))).not.toBe(subjectOf('shop2', secret.toString('base64url')))
})

test('of a browser only its family is kept', () => {
  const webkit = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'
  expect(agentFamily(`${webkit} Chrome/140.0.0.0 Safari/537.36`)).toBe('Chrome')
  expect(agentFamily(`${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0`)).toBe('Edge')
  expect(agentFamily(`${webkit} Version/18.0 Safari/605.1.15`)).toBe('Safari')
  expect(agentFamily('Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0')).toBe('Firefox')
  expect(agentFamily('curl/8')).toBe('other')
  expect(agentFamily(undefined)).toBe('other')
})

test('a lapse denies what was granted, and says nothing of what had been denied before', () => {
  const { evidence, identity } = composeRecord(
    {
      ...{
        action: 'save',
        choices: { analytics: true, maps: false },
        offered: ['save'],
        layer: 'preferences',
        gpc: null,
      },
      ...{ id: 'id', site: 'shop', secret: 's', ui: 'u', sdk: '0.1.0', previous: null, ageMs: 0 },
      ...{ policy: { version: '1', hash: 'h' }, notice: { hash: 'h', language: 'en' } },
      decidedAt: '2026-11-23T10:00:00.000Z',
    },
    'subject',
    null,
    testPolicy(),
    'Firefox',
    Date.parse('2026-11-23T10:00:00Z'),
  )
  const lapse = composeLapse('lapse', { evidence, identity }, 20_780, Date.parse('2026-12-24T00:00:00Z'))
  expect(lapse.evidence.choices).toEqual({ analytics: false })
})

describe('whose word counts for when it was decided', () => {
  const DAY_MS = 86_400_000
  const recordedAt = Date.parse('2026-11-23T10:00:00Z')
  const compose = (action: 'link' | 'save', decidedAgoMs: number, ageMs: number) => {
    const said = {
      ...{ action, choices: { analytics: true }, offered: [], layer: 'api', gpc: null, previous: null },
      ...{ id: 'id', site: 'shop', secret: 's', ui: 'u', sdk: '0.1.0' },
      ...{ policy: { version: '1', hash: 'h' }, notice: { hash: 'h', language: 'en' } },
      ...{ decidedAt: new Date(recordedAt - decidedAgoMs).toISOString(), ageMs },
    } as ParsedSubmission
    return composeRecord(said, 'subject', 'account', testPolicy(), 'Firefox', recordedAt, recordedAt - 10 * DAY_MS)
  }

  test('nothing but what is taken over was decided more than a day before its policy was logged', () => {
    const clockOf = (...said: Parameters<typeof compose>) => compose(...said).evidence.clock
    expect(clockOf('save', 11 * DAY_MS, 11 * DAY_MS)).toBe('ok')
    expect(clockOf('save', 11 * DAY_MS + 1, 11 * DAY_MS)).toBe('implausible')
    expect(clockOf('link', 11 * DAY_MS + 1, 0)).toBe('ok')
  })

  test('what is taken over was decided when it says, long ago or not, and is valid no longer for it', () => {
    for (const ageMs of [0, 100 * DAY_MS]) {
      const { evidence, identity } = compose('link', 100 * DAY_MS, ageMs)
      expect(evidence.clock).toBe('ok')
      expect(evidence.validUntil).toBe(new Date(recordedAt + 80 * DAY_MS).toISOString())
      expect(identity).toMatchObject({ subject: 'subject', account: 'account' })
    }
  })

  test('nothing can be taken over that was decided more than a day after it is recorded', () => {
    const { evidence } = compose('link', -2 * DAY_MS, 0)
    expect(evidence.clock).toBe('implausible')
    expect(evidence.validUntil).toBe(new Date(recordedAt + 180 * DAY_MS).toISOString())
  })

  test('of any other choice the age that the browser tells must fit', () => {
    expect(compose('save', 3 * DAY_MS, 3 * DAY_MS).evidence.clock).toBe('ok')
    expect(compose('save', 3 * DAY_MS, 0).evidence.clock).toBe('implausible')
  })
})
