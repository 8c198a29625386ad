/** Receipts as files: written and read back, and refused in any other spelling. */
import { expect, test } from 'vitest'
import { vectors } from '../merkle/test-trees.js'
import { VerificationError } from '../merkle/verification-error.js'
import { formatProofFile, parseProofFile, proofFileJson } from './proof-file.js'

const checkpoint = vectors.checkpoint.note
const hash = new Uint8Array(32).fill(3)
const line = Buffer.from(hash).toString('base64')

test('a receipt is laid out as tlog-proof says', () => {
  const text = formatProofFile({ extra: Buffer.from('{}'), index: 12, proof: [hash, hash], checkpoint })
  expect(text).toBe(`c2sp.org/tlog-proof@v1\nextra e30=\nindex 12\n${line}\n${line}\n\n${checkpoint}`)
})

test('a receipt is read as it was written, with or without extra and proof', () => {
  for (const extra of [undefined, new Uint8Array(0), new TextEncoder().encode('{"entry":"x"}')]) {
    for (const proof of [[], [hash], Array(53).fill(hash)]) {
      const file = { ...(extra ? { extra } : {}), index: 0, proof, checkpoint }
      expect(parseProofFile(formatProofFile(file))).toEqual(file)
    }
  }
})

test('a receipt in an answer is the same text, written in ASCII, whatever checkpoint it came after', () => {
  const other = checkpoint.replace('example', '"\\üle🜂')
  for (const one of [checkpoint, other, checkpoint]) {
    for (const extra of [undefined, new TextEncoder().encode('{"entry":"—"}')]) {
      const file = { ...(extra ? { extra } : {}), index: 7, proof: [hash], checkpoint: one }
      const json = proofFileJson(file)
      expect(json).toMatch(/^[ -~]+$/)
      expect(JSON.parse(json)).toBe(formatProofFile(file))
    }
  }
})

test('any other file is refused', () => {
  const head = 'c2sp.org/tlog-proof@v1\n'
  const bad = ['', '\n\n', head, `${head}index 1\n`, `${head}\n${checkpoint}`, `${head}index\n\n${checkpoint}`]
  bad.push(`c2sp.org/tlog-proof@v2\nindex 1\n\n${checkpoint}`, ` ${head}index 1\n\n${checkpoint}`)
  for (const index of ['01', '-1', '1.5', '', ' 1', '9007199254740993'])
    bad.push(`${head}index ${index}\n\n${checkpoint}`)
  for (const extra of ['extra', 'extra e30', 'extra  e30=', 'extra e31=', 'Extra e30=']) {
    bad.push(`${head}${extra}\nindex 1\n\n${checkpoint}`)
  }
  bad.push(`${head}index 1\nextra e30=\n\n${checkpoint}`, `${head}extra e30=\nextra e30=\nindex 1\n\n${checkpoint}`)
  for (const proof of [line.slice(4), `${line} `, line.slice(0, -1), `${line}\r`, Array(54).fill(line).join('\n')]) {
    bad.push(`${head}index 1\n${proof}\n\n${checkpoint}`)
  }
  for (const text of bad) expect(() => parseProofFile(text), text).toThrow(VerificationError)
})
