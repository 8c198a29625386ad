/** What the host's own server makes of a request's cookies. */
import { expect, test } from 'vitest'
import { encodeDecision } from './loader/cookie.js'
import { readDecision } from './server.js'
import { grant } from './test-site.js'

const dayMs = 86_400_000
const now = grant.decidedAt + dayMs
const cookie = (more: Partial<typeof grant> = {}, name = '__Host-avow') =>
  `theme=dark; ${name}=${encodeURIComponent(encodeDecision({ ...grant, ...more }))}; x=1`

test('a decision that counts is read with its choices and what it was made under', () => {
  expect(readDecision(cookie(), now)).toEqual({
    choices: { analytics: true },
    version: '2026-04',
    decidedAt: grant.decidedAt,
  })
  expect(readDecision(cookie({ choices: { analytics: false } }), now)?.choices).toEqual({ analytics: false })
})

test.each([
  ['no header', undefined],
  ['no such cookie', 'theme=dark'],
  ['a word', '__Host-avow=true'],
  ['what is no percent-encoding', '__Host-avow=%zz'],
  ['the cookie twice', `${cookie()}; ${cookie({ n: 2 })}`],
  ['a prefix that only decodes to ours', cookie({}, '%5F%5FHost-avow')],
])('%s is no decision', (_, header) => {
  expect(readDecision(header, now)).toBeNull()
})

test('the same clocks count as in the page', () => {
  expect(readDecision(cookie(), grant.lastActive + 30 * dayMs - 1000)).not.toBeNull()
  expect(readDecision(cookie(), grant.lastActive + 30 * dayMs)).toBeNull()
  expect(readDecision(cookie(), grant.lastActive + 3 * dayMs, { inactivityDays: 3 })).toBeNull()
  expect(readDecision(cookie({ lastActive: now }), now, { maxAgeDays: 1 })).toBeNull()
  expect(readDecision(cookie({ lastActive: now + dayMs + 1000 }), now)).toBeNull()
})

test('a policy that superseded the choice ends it', () => {
  expect(readDecision(cookie(), now, { accepts: ['2026-10'] })).toBeNull()
  expect(readDecision(cookie(), now, { accepts: ['2026-04', '2026-05'] })).not.toBeNull()
})

test('Sec-GPC of exactly 1 suspends a grant that was made without it', () => {
  expect(readDecision(cookie(), now, { secGpc: '1' })?.choices).toEqual({ analytics: false })
  expect(readDecision(cookie({ gpc: true }), now, { secGpc: '1' })?.choices).toEqual({ analytics: true })
  expect(readDecision(cookie(), now, { secGpc: 'true' })?.choices).toEqual({ analytics: true })
})

const names = ['__Host-avow', '__Secure-avow', 'avow']

test.each([
  ['of a host on https', {}, '__Host-avow'],
  ['that is shared by a domain', { domain: 'example.co.uk' }, '__Secure-avow'],
  ['of a host on plain http', { https: false }, 'avow'],
  ['that is shared by a domain on plain http', { https: false, domain: 'example.co.uk' }, 'avow'],
] as const)('a choice %s is read by its one name, and what stands beside it counts for nothing', (_, options, own) => {
  const denied = cookie({ choices: { analytics: false } }, own)
  expect(readDecision(denied, now, options)?.choices).toEqual({ analytics: false })
  // As a sibling of the host plants them, before the person has chosen and after.
  for (const other of names.filter((name) => name !== own)) {
    expect(readDecision(cookie({}, other), now, options)).toBeNull()
    expect(readDecision(`${cookie({}, other)}; ${denied}`, now, options)?.choices).toEqual({ analytics: false })
  }
})
