/** What the page shows of a decision. */
import { expect, test } from 'vitest'
import { parseDecision, parseReceipt } from './decision.js'

const at = (seconds: number) => seconds.toString(36)

test('the consent cookie is shown with its choices, its times and whether it holds a secret', () => {
  const cookie = `1.2.2026-04.analytics1~other0.${at(1_700_000_000)}.${at(1_700_003_600)}.AAAAAAAAAAAAAAAAAAAAAA`
  expect(parseDecision(`fr_analytics=1; avow=${cookie}`)).toEqual({
    count: 2,
    policyVersion: '2026-04',
    choices: { analytics: true, other: false },
    decidedAt: new Date(1_700_000_000_000),
    lastActive: new Date(1_700_003_600_000),
    hasSecret: true,
  })
  expect(parseDecision(`__Host-avow=1.1.2026-04.analytics0.${at(1)}.${at(2)}`)?.hasSecret).toBe(false)
})

test.each([
  '',
  'avow=',
  'avow=2.1.v.analytics1.1.1',
  'avow=1.1.v',
  'avow=%E0%A4%A',
  'avow=1.1.v.a1.?.1',
  'myavow=1.1.v.a1.1.1',
])('a cookie that can’t be read is shown as no decision: %s', (cookie) => expect(parseDecision(cookie)).toBeNull())

test('the receipt is shown with its index, the size of the log and the signed checkpoint', () => {
  const sibling = `${'A'.repeat(43)}=`
  const checkpoint = `localhost/log/x\n7\n${sibling}\n\n— localhost/log/x abcd\n`
  const receipt = `c2sp.org/tlog-proof@v1\nextra e30=\nindex 6\n${sibling}\n${sibling}\n\n${checkpoint}`
  expect(parseReceipt(receipt)).toEqual({ index: 6, size: 7, proofSize: 2, checkpoint })
  expect(parseReceipt('hello')).toBeNull()
})
