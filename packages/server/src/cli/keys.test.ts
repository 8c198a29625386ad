import { expect, test, vi } from 'vitest'
import { openSqliteKeys, openSqliteStorage } from '../storage/sqlite.js'
import { testFolder } from '../test-folder.js'
import { SITE, testWorld } from '../testing.js'
import { keys } from './keys.js'

/** A folder that a server has served from, and what the command says about it. */
async function place() {
  const data = testFolder()
  const { avow } = await testWorld({ storage: await openSqliteStorage(data) })
  await avow.close()
  const run = async (...args: string[]) => {
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const err = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      expect(await keys([...args, '--data', data])).toBe(0)
      return { out: out.mock.calls.join(''), err: err.mock.calls.join('') }
    } finally {
      out.mockRestore()
      err.mockRestore()
    }
  }
  return { data, run }
}

test('a key is made, listed, rotated and revoked, and its secret is shown when it is made and never again', async () => {
  const { data, run } = await place()
  const made = await run('create', '--site', SITE, '--name', 'team', '--days', '90', '--reason', 'audit 2026')
  const secret = made.out.trim()
  const [id = ''] = /key_[\w-]+/.exec(made.err) ?? []
  const listed = async () => (await run('list')).out.split('\n').find((line) => line.startsWith(id))
  expect(await listed()).toMatch(/until 20.*\tshop\taudit:read,audit:export\tnever used\tteam$/)
  const rotated = await run('rotate', id, '--overlap-hours', '1')
  expect(rotated.out).toMatch(/^avow_live_/)
  await run('revoke', id)
  expect(await listed()).toMatch(/revoked 20/)
  const all = [(await run('list')).out, made.err, rotated.err].join()
  for (const shown of [secret, rotated.out.trim()]) expect(all).not.toContain(shown)
  const store = await openSqliteKeys(data)
  expect((await store.keys.get(id))?.reason).toBe('audit 2026')
  await store.close()
  await expect(run('rotate', id)).rejects.toThrow('ID: expected a key that was not revoked')
})

test('what is wrong is named, and nothing is made', async () => {
  const { run } = await place()
  const before = (await run('list')).out
  const wrong: [args: string[], message: RegExp][] = [
    [['make'], /command: expected one of create, list, rotate, revoke/],
    [['create', '--name', 'x'], /--site/],
    [['create', '--site', SITE], /--name/],
    [['create', '--site', SITE, '--name', 'two\nlines'], /--name/],
    [['create', '--site', SITE, '--name', 'x', '--reason', ''], /--reason/],
    [['create', '--site', 'nobody', '--name', 'x'], /--site: expected a site that is served from here: shop/],
    [['create', '--site', `${SITE},nobody`, '--name', 'x'], /--site/],
    [['create', '--site', SITE, '--name', 'x', '--scopes', 'all'], /--scopes/],
    [['create', '--site', SITE, '--name', 'x', '--env', 'Live'], /--env/],
    [['create', '--site', SITE, '--name', 'x', '--days', '0'], /--days/],
    [['rotate', 'key_x'], /ID: expected the id of a key/],
    [['rotate'], /ID/],
    [['rotate', 'key_x', '--overlap-hours', '721'], /--overlap-hours: expected a whole number of hours up to 720/],
    [['revoke', 'key_x'], /ID/],
  ]
  for (const [args, message] of wrong) await expect(run(...args)).rejects.toThrow(message)
  expect((await run('list')).out).toBe(before)
})
