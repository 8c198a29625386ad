/** The gallery's words come out of a server that leaves nothing behind. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { readPolicy } from '@avow/server'
import { expect, test } from 'vitest'
import { readGallery } from './gallery.js'

test('reading the gallery writes no file', async () => {
  const before = readdirSync('.')
  const { notices } = await readGallery(readPolicy(path.join(import.meta.dirname, '../gallery/policy.json')), '/_avow')
  expect(notices.size).toBeGreaterThan(30)
  expect(readdirSync('.')).toEqual(before)
})
