/** Sessions on disk: what a restart keeps, and what a copy of the file is worth. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openSessions } from './sessions.js'

const folder = mkdtempSync(join(tmpdir(), 'avow-demo-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a restart keeps sessions and API keys, and the file holds neither token nor key', () => {
  const file = join(folder, 'demo.db')
  const first = openSessions(file, () => 1000)
  const { session, csrf } = first.start('ada@example.com')
  const key = first.createApiKey('ada@example.com', 'production')
  first.close()
  const bytes = readFileSync(file, 'latin1')
  for (const secret of [session.token, csrf, key]) expect(bytes).not.toContain(secret)

  const second = openSessions(file, () => 2000)
  expect(second.find(session.token)?.account).toBe('ada@example.com')
  expect(second.apiKeys('ada@example.com').map(({ name }) => name)).toEqual(['production'])
  expect(second.find('another token')).toBeNull()
  second.close()
})
