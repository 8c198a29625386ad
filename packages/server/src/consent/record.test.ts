import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { agentFamily, subjectOf } from './record.js'

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
