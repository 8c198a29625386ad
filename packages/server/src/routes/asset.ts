/** A file that is known before it is asked for: hashed and compressed once, served many times. */
import { createHash } from 'node:crypto'
import { brotliCompressSync, constants } from 'node:zlib'
import type { Context } from 'hono'

export type Asset = (c: Context) => Response

/** The best compression takes seconds for megabytes; past this a quicker one will do. */
const BEST_COMPRESSION_LIMIT_BYTES = 256 * 1024

/** `cacheControl` as the header has it. Cross-origin pages may use it, since consent scripts are often served from elsewhere. */
export function createAsset(
  body: string | Uint8Array,
  contentType: string,
  cacheControl: string,
  vary = 'accept-encoding',
): Asset {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body)
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`
  const quality = bytes.length > BEST_COMPRESSION_LIMIT_BYTES ? 5 : constants.BROTLI_MAX_QUALITY
  const brotli = new Uint8Array(brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }))
  const headers = {
    'content-type': contentType,
    'cache-control': cacheControl,
    etag,
    vary,
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
  }
  return (c) => {
    const known = c.req
      .header('if-none-match')
      ?.split(',')
      .map((tag) => tag.trim().replace(/^W\//, ''))
    if (known?.includes(etag)) return c.body(null, 304, headers)
    const takesBrotli = c.req
      .header('accept-encoding')
      ?.split(',')
      .some((coding) => coding.trim() === 'br')
    return takesBrotli ? c.body(brotli, 200, { ...headers, 'content-encoding': 'br' }) : c.body(bytes, 200, headers)
  }
}
