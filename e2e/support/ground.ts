/**
 * Where the stories' hosts stand: an https and an http server on free ports, for every name that the browser is told is
 * here. One pair a worker; who answers is the story's business.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

const read = (name: string) => readFileSync(new URL(`./certificate/${name}.pem`, import.meta.url), 'utf8')

/** Every name a page may have; the certificate is for these. */
export const hostNames = [
  'dash.example',
  'consent.example',
  'other.example',
  'example.co.uk',
  'consent.example.co.uk',
  'www.example.co.uk',
  'a.b.example.co.uk',
  // For engines that can't be told where a name is.
  'localhost',
] as const

/** For the browser: the names above are this machine's, and the stories' certificate is good. */
export function browserArgs(): string[] {
  const key = new X509Certificate(read('certificate')).publicKey.export({ type: 'spki', format: 'der' })
  const names = ['*.example', 'example.co.uk', '*.example.co.uk']
  return [
    `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(', ')}`,
    // Not "ignore all errors": then nothing would be kept in the cache, and no page would count as secure.
    `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
  ]
}

export type Answerer = (request: IncomingMessage, response: ServerResponse, scheme: 'https' | 'http') => Promise<void>

export interface Ground {
  /** `https://dash.example:41234` */
  origin(scheme: 'https' | 'http', host: string): string
  /** Hands every request to this story; null lets go of them, and of what still hangs. */
  give(answerer: Answerer | null): void
  close(): Promise<void>
}

export async function openGround(): Promise<Ground> {
  let answerer: Answerer | null = null
  const answer = (scheme: 'https' | 'http') => (request: IncomingMessage, response: ServerResponse) => {
    if (!answerer) return void request.socket.destroy()
    answerer(request, response, scheme).catch((error) => {
      console.error('a story could not answer', request.url, error)
      response.destroy()
    })
  }
  const servers = {
    https: createSecureServer({ key: read('key'), cert: read('certificate') }, answer('https')),
    http: createServer(answer('http')),
  }
  const all = Object.values(servers)
  for (const server of all) {
    // A request that hangs is a story's wish, and no reason to be ended from here.
    server.requestTimeout = 0
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return {
    origin: (scheme, host) => `${scheme}://${host}:${(servers[scheme].address() as AddressInfo).port}`,
    give(next) {
      answerer = next
      if (!next) for (const server of all) server.closeAllConnections()
    },
    async close() {
      for (const server of all) {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
    },
  }
}
