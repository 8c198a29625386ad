/** Checkpoints: three strict lines under the log's own name. */
import { expect, test } from 'vitest'
import { toBase64, vectors } from '../merkle/test-trees.js'
import { VerificationError } from '../merkle/verification-error.js'
import { formatCheckpoint, openCheckpoint, parseCheckpoint } from './checkpoint.js'
import { createSigner, generateSeed } from './signer.js'

const root = new Uint8Array(32).fill(7)
const line = toBase64(root)

test('the checkpoint that Go signed opens', () => {
  const { origin, size, root } = openCheckpoint(vectors.checkpoint.note, vectors.checkpoint.verifierKey)
  expect([origin, size]).toEqual(['ledger.example/vectors', 1100])
  expect(toBase64(root)).toBe(vectors.roots.find((known) => known.size === 1100)?.root)
})

test('a checkpoint is read as it was written', () => {
  for (const size of [0, 1, 9, 10, 70_000, Number.MAX_SAFE_INTEGER]) {
    const checkpoint = { origin: 'dash.example/log/fr-apiaas', size, root }
    expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint)
  }
})

test('a size is spelled in one way, and can be counted to', () => {
  for (const size of ['', '01', '+1', '-1', '1.0', '1e3', ' 1', '0x1', '9007199254740992', '99999999999999999999']) {
    expect(() => parseCheckpoint(`o\n${size}\n${line}\n`), size).toThrow(VerificationError)
  }
})

test('any other number of lines, and any other root, is refused', () => {
  const bad = [
    '',
    'o\n',
    `o\n1\n${line}`,
    `o\n1\n${line}\nmore\n`,
    `o\n1\n${line}\n\n`,
    `\n1\n${line}\n`,
    `o\n1\n\n${line}\n`,
  ]
  bad.push(
    `o\n1\n${toBase64(root.subarray(1))}\n`,
    `o\n1\n${toBase64(new Uint8Array(33))}\n`,
    `o\n1\n${line.slice(0, -1)}\n`,
  )
  bad.push(`o\n1\n${line.replace(/.=$/, 'd=')}\n`, `o\n1\n ${line.slice(1)}\n`)
  for (const text of bad) expect(() => parseCheckpoint(text), text).toThrow(VerificationError)
})

test('a key does not speak for a log of another name', () => {
  const signer = createSigner('ann.example/log', generateSeed())
  const note = signer.sign(formatCheckpoint({ origin: 'ben.example/log', size: 1, root }))
  expect(() => openCheckpoint(note, signer.vkey)).toThrow('checkpoint is from ben.example/log, not ann.example/log')
})
