/** CSV that other programs read as it was meant: quotes, line ends, and nothing that calculates. */
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CSV_HEAD, csvLine } from './csv.js'
import { rowOf } from './ndjson.js'
import { testRecord } from './test-records.js'

const read = (text: string): Record<string, string>[] => parse(text, { columns: true, record_delimiter: '\r\n' })

/** What a reader takes off who wants the value as it was recorded. */
const plain = (value: string) => value.replace(/^'(?='*[=+\-@\t\r\n])|(?<=[;\t\r\n])'(?=['"]*[=+\-@\t])/g, '')

/** Cells as a program has them that was told another separator: none of them may calculate. */
const cellsElsewhere = (text: string) => text.split(/[;\t\r\n]/).map((cell) => cell.replace(/^"+/, ''))

test('a third party’s parser reads back what was recorded', () => {
  const record = testRecord({ gpc: false, choices: { analytics: true, ads: false, maps: true } })
  const [row] = read(CSV_HEAD + csvLine(record))
  expect(row).toEqual({
    ...{ log: 'shop', index: '7', id: record.identity.id, subject: 's'.repeat(43), account: '', previous: '' },
    ...{ recordedAt: '2026-11-23T10:00:00.000Z', decidedAt: '2026-11-23T09:59:59.960Z', clock: 'ok' },
    ...{ action: 'accept-all', granted: 'analytics maps', denied: 'ads', layer: 'banner' },
    ...{ offered: 'reject-all accept-all', policyVersion: '2026-04', policyHash: record.evidence.policy.hash },
    ...{ noticeHash: 'n'.repeat(43), language: 'de', ui: 'abc123', gpc: 'false', sdk: '0.1.0', agent: 'Firefox' },
    ...{ page: '', validUntil: '2027-05-22T09:59:59.960Z' },
  })
})

test('whatever stands in a value, a third party’s parser reads it back, and none begins as a formula does', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(fc.constantFrom(...'"\t=;\'\r\n+-@, a'.split('')), { maxLength: 6 }).map((letters) => letters.join('')),
  )
  fc.assert(
    fc.property(text, text, text, (account, page, agent) => {
      const record = testRecord({}, { account, page, agent })
      const rows = read(CSV_HEAD + csvLine(record) + csvLine(testRecord()))
      expect(rows).toHaveLength(2)
      expect([rows[0]!.account, rows[0]!.page, rows[0]!.agent].map((value) => plain(value!))).toEqual([
        account,
        page,
        agent,
      ])
      for (const value of Object.values(rows[0]!)) expect(value).not.toMatch(/^[=+\-@\t\r\n]/)
      for (const cell of cellsElsewhere(csvLine(record))) expect(cell).not.toMatch(/^[=+\-@]/)
    }),
  )
})

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\r', '=HYPERLINK("https://evil.example","x")'])(
  'what a spreadsheet would take for a formula is text: %j',
  (account) => {
    expect(read(CSV_HEAD + csvLine(testRecord({}, { account })))[0]!.account).toBe(`'${account}`)
  },
)

test.each([
  [";=1+cmd|' /C calc'!A0;", ";'=1+cmd|' /C calc'!A0;"],
  ['a\n=1', "a\n'=1"],
  ["x;'=1", "x;''=1"],
  ['\r=1', "'\r'=1"],
  ['a;b=1', 'a;b=1'],
  [`a;"=cmd|'/c calc'!A0;x`, `a;'"=cmd|'/c calc'!A0;x`],
  ['a;""=1;x', `a;'""=1;x`],
  ['a\n"=1+1', `a\n'"=1+1`],
  ['\t=1', "'\t'=1"],
  ['a\t=1', "a\t'=1"],
  ['a;\t=1', "a;'\t'=1"],
  [`a;'"=1`, `a;''"=1`],
  ['a;"b=1"', 'a;"b=1"'],
])(
  'nor what would begin a cell where lines are cut at a semicolon, as they are in half of Europe: %j',
  (page, shown) => {
    const line = csvLine(testRecord({}, { page }))
    const [row] = read(CSV_HEAD + line)
    expect([row!.page, plain(row!.page!)]).toEqual([shown, page])
    for (const cell of cellsElsewhere(line)) expect(cell).not.toMatch(/^[=+\-@]/)
  },
)

test('the columns are the fields of the other formats', () => {
  const { policy: _, notice: _1, choices: _2, ...row } = rowOf(testRecord())
  const named = CSV_HEAD.trim().split(',')
  for (const field of Object.keys(row)) expect(named).toContain(field)
})
