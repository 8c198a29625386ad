/** Bodies: JSON only, and no larger than the route takes; or none. */
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { InputError, Refusal } from '../problem.js'

/** A submission is under 1 KiB; the rest is room for sites with many categories. */
export const BODY_LIMIT_BYTES = 16 * 1024

/** The body, parsed. Throws a `Refusal` for another type, for more than the limit, and for what is no JSON. */
export async function readJson(c: Context): Promise<unknown> {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new Refusal('unsupported-media-type', 'send the body as application/json', { field: 'content-type' })
  const text = await readText(c)
  try {
    return JSON.parse(text)
  } catch {
    // What is wrong with it, the parser says with the text, which is not to be repeated.
    throw new Refusal('malformed-json', 'the body could not be read as JSON', { field: 'body' })
  }
}

/** Reads what should be no body. Throws a `Refusal` for more than the limit, and an `InputError` for any other. */
export async function requireNoBody(c: Context): Promise<void> {
  if (c.req.header('content-length') !== '0' && (await readText(c)) !== '') throw new InputError('body', 'none')
}

async function readText(c: Context): Promise<string> {
  const length = c.req.header('content-length')
  let text = ''
  const read = async () => {
    text = await c.req.text()
  }
  // A stated length is kept to by HTTP itself; only a body without one is counted while it is read, which costs far more.
  if (length === undefined) await limitStream(c, read)
  else if (Number(length) <= BODY_LIMIT_BYTES) await read()
  else refuse()
  return text
}

function refuse(): never {
  throw new Refusal('too-large', `at most ${BODY_LIMIT_BYTES} bytes`, { field: 'body' })
}

const limitStream = bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: refuse })
