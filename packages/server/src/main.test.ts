import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openFileEscrow } from './ledger/escrow.js'
import { createAvow } from './main.js'
import { createMemoryStorage } from './storage/memory.js'
import { LockedError } from './storage/storage.js'
import { PAGE_ORIGIN, testPolicy } from './testing.js'

test('two nodes of one name on one escrow: the second is refused with the cure, and one of another name is not', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-main-'))
  const start = (node: string, site = 'shop') =>
    createAvow({
      data: folder,
      escrow: path.join(folder, 'escrow'),
      publicUrl: 'https://shop.example/_avow',
      sites: [{ site, policy: testPolicy(), origins: [PAGE_ORIGIN], publicLog: true }],
      rateLimit: null,
      keys: [new Uint8Array(32).fill(3)],
      seedOf: () => new Uint8Array(32).fill(9),
      log: () => {},
      storage: createMemoryStorage(),
      scripts: { loader: '', ui: ['ui.js', ''], settings: ['settings.js', ''] },
      node,
    })
  const first = await start('one')
  const head = openFileEscrow(path.join(folder, 'escrow'), 'shop', 'one').highest()
  const second = start('one')
  await expect(second).rejects.toThrow(LockedError)
  await expect(second).rejects.toThrow(/shop\.one\.lock is held by another process: .*an AVOW_NODE of its own/)
  expect(openFileEscrow(path.join(folder, 'escrow'), 'shop', 'one').highest()).toEqual(head)
  // Another site's files are others.
  await (await start('one', 'other')).close()
  await first.close()
  expect(readdirSync(path.join(folder, 'escrow'))).toContain('shop.one.lock')
  // Whoever stopped may start again: memory has forgotten the log, so that it says it is behind its escrow, and reads on.
  await (await start('one')).close()
  rmSync(folder, { recursive: true })
})
