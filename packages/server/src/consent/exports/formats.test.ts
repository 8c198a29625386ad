/** What each format has a line for, and what it leaves out. */
import { expect, test } from 'vitest'
import { toRecord } from '../record.js'
import { FORMATS, type FormatName } from './formats.js'
import { published, testRecord } from './test-records.js'

const write = (format: FormatName, record: Parameters<(typeof FORMATS)['csv']['write']>[0]) =>
  FORMATS[format].write(record, published)

test('a line of NDJSON is the record as the audit API answers it, with the page beside', () => {
  const record = testRecord({}, { page: 'https://shop.example/a', account: 'ann' })
  const line = write('ndjson', record) as string
  expect(line.endsWith('\n')).toBe(true)
  const { page } = record.identity
  expect(JSON.parse(line)).toEqual({ ...toRecord('shop', 7, record.evidence, record.identity), page })
})

test('a denial is left out of Kantara alone', () => {
  const denial = testRecord({ action: 'reject-all', choices: { analytics: false } })
  expect(write('kantara', denial)).toBeNull()
  for (const format of ['ndjson', 'csv', 'jsonld'] as const) expect(write(format, denial)).toEqual(expect.any(String))
})

test('a line has one end and no other, so that what arrived whole can be told from what did not', () => {
  const odd = testRecord({}, { account: 'a\nb\r\nc\u2028', page: 'x' })
  for (const format of ['ndjson', 'jsonld', 'kantara'] as const) {
    const line = write(format, odd) as string
    expect(line.indexOf('\n')).toBe(line.length - 1)
  }
})
