/** What is said when the server starts. */
import { mkdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { testFolder } from '../test-folder.js'
import { escrowWarning } from './serve.js'

let folder: string
let data: string
beforeEach(() => {
  folder = testFolder()
  data = path.join(folder, 'data')
  for (const name of ['data', 'data-escrow', 'data/escrow', 'data/..escrow']) mkdirSync(path.join(folder, name))
  symlinkSync(path.join(folder, 'data-escrow'), path.join(data, 'elsewhere'))
  symlinkSync(data, path.join(folder, 'same'))
})

test.each(['data', 'data/escrow', 'data/..escrow', 'same/escrow'])('an escrow in %s is warned of', (name) => {
  const escrow = path.join(folder, name)
  const warning = escrowWarning({ data, database: '', escrow })
  expect(warning).toContain(`move ${escrow} to another disk, and set AVOW_ESCROW`)
  expect(warning).not.toContain('\n')
})

test.each(['data-escrow', 'data/elsewhere', '.'])('an escrow in %s is outside the data folder, and well', (name) => {
  expect(escrowWarning({ data, database: '', escrow: path.join(folder, name) })).toBeNull()
})

test('beside databases elsewhere the data folder is as good a place as any', () => {
  const escrow = path.join(data, 'escrow')
  expect(escrowWarning({ data, database: 'postgres://db.example/ledger', escrow })).toBeNull()
})
