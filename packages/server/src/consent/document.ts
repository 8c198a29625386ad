/** Documents named by the SHA-256 of their canonical form (RFC 8785), base64url. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** The canonical text of a JSON value. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new Error('a document must be a JSON value')
  return text
}

export const hashText = (text: string): string => createHash('sha256').update(text).digest('base64url')

export const hashDocument = (value: unknown): string => hashText(canonicalText(value))
