/** Parsing evidence at the door, by hand: a validation library would be most of what the browser downloads to verify. */
import { decodeBase64, decodeBase64url } from '../ledger/base64.js'
import { HASH_SIZE } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'

/** A field's value with the words that name it in a refusal. */
export type Parse<T> = (value: unknown, where: string) => T

/** An object with exactly these fields: a field that nobody checks would read as if it had been. */
export function parseObject<F extends Record<string, Parse<unknown>>>(
  value: unknown,
  where: string,
  fields: F,
): { [K in keyof F]: ReturnType<F[K]> } {
  const found = parseRecord(value, where)
  for (const name of Object.keys(found)) {
    if (!Object.hasOwn(fields, name)) throw new VerificationError(`${where} has a field of no known meaning`)
  }
  return parseFields(found, where, fields)
}

/** An object with at least these fields. For parts, whose every field is covered by their commitment. */
export function parseFields<F extends Record<string, Parse<unknown>>>(
  value: unknown,
  where: string,
  fields: F,
): { [K in keyof F]: ReturnType<F[K]> } {
  const found = parseRecord(value, where)
  const parsed = Object.entries(fields).map(([name, parse]) => {
    if (!Object.hasOwn(found, name)) throw new VerificationError(`${where} has no ${name}`)
    return [name, parse(found[name], `${where}: ${name}`)] as const
  })
  return Object.fromEntries(parsed) as { [K in keyof F]: ReturnType<F[K]> }
}

export const parseRecord: Parse<Readonly<Record<string, unknown>>> = (value, where) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(where, 'an object')
  return value as Record<string, unknown>
}

export const parseText: Parse<string> = (value, where) => {
  if (typeof value !== 'string') throw refused(where, 'text')
  return value
}

/** ISO 8601 UTC, of a day that there is. */
export const parseTime: Parse<string> = (value, where) => {
  const text = parseText(value, where)
  const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN
  // Some engines take 30 February for 2 March, others for nothing.
  if (Number.isNaN(instant) || new Date(instant).toISOString().slice(0, 19) !== text.slice(0, 19))
    throw refused(where, 'a time in UTC')
  return text
}

export const parseIndex: Parse<number> = (value, where) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw refused(where, 'a whole number')
  return value as number
}

/** Category → granted. */
export const parseChoices: Parse<Readonly<Record<string, boolean>>> = (value, where) => {
  const choices = parseRecord(value, where)
  if (Object.values(choices).some((granted) => typeof granted !== 'boolean'))
    throw refused(where, 'true or false for each')
  return choices as Record<string, boolean>
}

export const parseProof: Parse<Uint8Array[]> = (value, where) =>
  parseList(value, where, (hash, at) => decoded(parseText(hash, at), at, decodeBase64))

/** 32 bytes, base64url. */
export const parseSecret: Parse<Uint8Array> = (value, where) => decoded(parseText(value, where), where, decodeBase64url)

export function parseList<T>(value: unknown, where: string, parse: Parse<T>): T[] {
  if (!Array.isArray(value)) throw refused(where, 'a list')
  return value.map((item, at) => parse(item, `${where} ${at + 1}`))
}

export function orNull<T>(parse: Parse<T>): Parse<T | null> {
  return (value, where) => (value === null ? null : parse(value, where))
}

function decoded(text: string, where: string, decode: (text: string) => Uint8Array): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = decode(text)
  } catch {
    // Whatever is wrong with the encoding: it stands for no bytes.
    throw refused(where, 'base64')
  }
  // Proofs and secrets are both of this size; HMAC would take a secret of any.
  if (bytes.length !== HASH_SIZE) throw refused(where, `${HASH_SIZE} bytes`)
  return bytes
}

function refused(where: string, expected: string): VerificationError {
  return new VerificationError(`${where} is not ${expected}`)
}
