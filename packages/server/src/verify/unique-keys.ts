/**
 * JSON in which no object has a name twice. Of two, whoever parses takes the last and whoever reads sees the first: a file could
 * say one thing to each (RFC 8259 §4). Pure.
 */
import { VerificationError } from '../merkle/verification-error.js'

/** As `JSON.parse`, and throws a `VerificationError` where an object has a name twice, however either is written. */
export function parseUniqueJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  requireUniqueNames(text)
  return value
}

/** `json`: known to be valid, so that only strings and brackets need looking at. */
function requireUniqueNames(json: string): void {
  /** The names so far of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = []
  let isName = false
  for (let at = 0; at < json.length; at++) {
    const sign = json[at]
    const names = open.at(-1)
    if (sign === '{') open.push(new Set())
    else if (sign === '[') open.push(null)
    else if (sign === '}' || sign === ']') open.pop()
    else if (sign === '"') {
      const end = endOfString(json, at)
      if (names && isName) {
        const name = JSON.parse(json.slice(at, end)) as string
        if (names.has(name)) throw new VerificationError('an object in the file has the same name twice')
        names.add(name)
      }
      at = end - 1
    } else if (sign !== ',') continue
    isName = sign === '{' || sign === ','
  }
}

/** Where the string that begins at `start` ends: behind its closing quote. */
function endOfString(json: string, start: number): number {
  let at = start + 1
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}
