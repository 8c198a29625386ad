/** Signed notes: what Go signed opens here, and nothing that was tampered with. */
import { expect, test } from 'vitest'
import { flipped, toBase64, vectors } from '../merkle/test-trees.js'
import { VerificationError } from '../merkle/verification-error.js'
import { EncodingError } from './base64.js'
import { formatVkey, openNote, parseVkey } from './note.js'
import { createSigner, generateSeed } from './signer.js'

const ann = createSigner('ann.example/log', generateSeed())
const ben = createSigner('ben.example/log', generateSeed())
const annKey = parseVkey(ann.vkey)
const benKey = parseVkey(ben.vkey)

/** The signature line that a signer would add. */
const lineOf = (signer: typeof ann, text: string) => signer.sign(text).slice(text.length + 1)

const refused = (note: string, words: string | RegExp) => {
  expect(() => openNote(note, [annKey])).toThrow(VerificationError)
  expect(() => openNote(note, [annKey])).toThrow(words)
}

test('the note that Go signed opens with the key that Go printed', () => {
  const { note, verifierKey } = vectors.checkpoint
  const { text, verified } = openNote(note, [parseVkey(verifierKey)])
  expect(text).toBe(note.slice(0, note.indexOf('\n\n') + 1))
  expect(verified.map(({ name }) => name)).toEqual(['ledger.example/vectors'])
})

test('our signature is byte for byte the one that Go made with the same key', () => {
  const { note, signerKey, verifierKey } = vectors.checkpoint
  const seed = Buffer.from(signerKey.split('+').slice(4).join('+'), 'base64').subarray(1)
  const signer = createSigner('ledger.example/vectors', new Uint8Array(seed))
  expect(signer.vkey).toBe(verifierKey)
  expect(signer.sign(note.slice(0, note.indexOf('\n\n') + 1))).toBe(note)
})

test('a verifier key is written as it is read, a plus in its base64 included', () => {
  let signer = ann
  while (!signer.vkey.split('+').slice(2).join('+').includes('+')) signer = createSigner('plus.example', generateSeed())
  const { name, publicKey } = parseVkey(signer.vkey)
  expect(formatVkey(name, publicKey)).toBe(signer.vkey)
})

test('a verifier key with a part missing, changed or added is refused, and is no false proof', () => {
  const [name, id, key] = [ann.name, ann.vkey.split('+')[1]!, ann.vkey.split('+').slice(2).join('+')]
  const otherType = toBase64(new Uint8Array([2, ...annKey.publicKey]))
  const bad = [
    '',
    'ann',
    `${name}+${id}`,
    `${name}+${id}+`,
    `+${id}+${key}`,
    `other+${id}+${key}`,
    `${name}+${id}+${key}A`,
  ]
  bad.push(`${name}+00000000+${key}`, `${name}+${id.toUpperCase().padEnd(9, 'A')}+${key}`, `${name}+${id}+${otherType}`)
  bad.push(`an n+${id}+${key}`, `${name}\n+${id}+${key}`, `${ann.vkey}\n`, ` ${ann.vkey}`)
  for (const vkey of bad) expect(() => parseVkey(vkey), vkey).toThrow(EncodingError)
})

test('the signatures start after the last empty line, so a text may have empty lines', () => {
  const text = 'first\n\n— not.a/signature AAAAAAAA\n\nlast\n'
  expect(openNote(ann.sign(text), [annKey]).text).toBe(text)
})

test('signatures by others are passed over, whatever their type or size', () => {
  const text = 'a text\n'
  const strange = `— witness.example ${toBase64(new Uint8Array(76))}\n— ann.example/log ${toBase64(new Uint8Array(5))}\n`
  const note = `${text}\n${strange}${lineOf(ben, text)}${lineOf(ann, text)}`
  expect(openNote(note, [annKey]).verified).toEqual([annKey])
  expect(openNote(note, [benKey, annKey]).verified).toEqual([benKey, annKey])
})

test('a false signature under a known name and id refuses the note, whoever else signed it', () => {
  const text = 'a text\n'
  const forged = lineOf(ann, 'another text\n')
  refused(`${text}\n${lineOf(ann, text)}${forged}`, 'signature of ann.example/log is false')
  refused(`${text}\n${forged}${lineOf(ann, text)}`, 'is false')
  expect(() => openNote(`${text}\n${lineOf(ben, text)}${forged}`, [annKey, benKey])).toThrow('is false')
  const short = `— ann.example/log ${toBase64(new Uint8Array([...annKey.keyId, 1]))}\n`
  refused(`${text}\n${lineOf(ann, text)}${short}`, 'is false')
})

test('a signature under a known name by another key counts for nothing', () => {
  const impostor = createSigner(ann.name, generateSeed())
  refused(impostor.sign('a text\n'), 'not signed by the key given')
})

test('one who signed twice has signed once', () => {
  const text = 'a text\n'
  expect(openNote(ann.sign(text) + lineOf(ann, text), [annKey]).verified).toEqual([annKey])
})

test('a note that nobody known signed is refused', () => {
  refused(ben.sign('a text\n'), 'not signed by the key given')
  expect(() => openNote(ann.sign('a text\n'), [])).toThrow(VerificationError)
})

test('a hundred signatures are read, and not one more', () => {
  const text = 'a text\n'
  const others = (count: number) => `— w.example ${toBase64(new Uint8Array(68))}\n`.repeat(count)
  expect(openNote(`${text}\n${others(15)}${lineOf(ann, text)}`, [annKey]).verified).toEqual([annKey])
  expect(openNote(`${text}\n${others(99)}${lineOf(ann, text)}`, [annKey]).verified).toEqual([annKey])
  refused(`${text}\n${others(100)}${lineOf(ann, text)}`, 'more than 100')
})

test('a malformed note is refused', () => {
  const text = 'a text\n'
  const line = lineOf(ann, text)
  for (const note of ['', '\n', '\n\n', text, `${text}\n`, `${text}${line}`, `${text}\n${line.slice(0, -1)}`, line])
    refused(note, /./)
  const broken = [
    line.replace('—', '-'),
    line.replace('— ', '—'),
    line.replace('— ', '—  '),
    ` ${line}`,
    line.replace('\n', ' \n'),
  ]
  broken.push(
    line.replace('\n', '\r\n'),
    line.replace('=', ''),
    '— ann.example/log \n',
    '— ann.example/log AAAA\n',
    '—  AAAAAAAA\n',
  )
  for (const bad of broken) refused(`${text}\n${line}${bad}`, /./)
  refused(`a\ttext\n\n${line}`, 'characters')
  refused(`a \ud800 text\n\n${line}`, 'characters')
  refused(`${'x'.repeat(1_000_000)}\n\n${line}`, 'too long')
})

test('a note with any bit of its text changed is refused', () => {
  const text = 'ann.example/log\n7\nAAAA\n'
  const line = lineOf(ann, text)
  for (let bit = 0; bit < text.length * 8; bit++) {
    refused(`${Buffer.from(flipped(Buffer.from(text), bit)).toString('latin1')}\n${line}`, /./)
  }
})

test('a text that readers could take for another is not signed, nor a name with a space', () => {
  for (const text of ['', 'no end', 'a\u0000\n', 'a\r\n', '\udfff\n'])
    expect(() => ann.sign(text)).toThrow('plain text')
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b']) {
    expect(() => createSigner(name, generateSeed())).toThrow(EncodingError)
  }
  expect(() => createSigner('short', new Uint8Array(31))).toThrow('32 bytes')
})
