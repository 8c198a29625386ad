/** SIGKILL keeps what the kernel holds; a power cut doesn't. So this looks at what the disk was told before a 201 left. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { times } from './support/length.js'
import { createPlace, startServer } from './support/place.js'
import { type Call, parseTrace } from './support/trace.js'
import { composer, record } from './support/visitors.js'

const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0
if (!canTrace) console.warn('not run: strace is not here, or may not trace: what the disk is told was not looked at')

const isSync = ({ name, result }: Call) => (name === 'fdatasync' || name === 'fsync') && result === '0'

/** The connection's descriptor as strace prints it, which a later connection has again. */
const socketOf = ({ args }: Call) => /^\d+<TCP[^>]*>/.exec(args)?.[0] ?? null

/** Requests to record, each with the answer that left by the same connection. */
function exchanges(calls: readonly Call[]): { request: Call; answer: Call }[] {
  const waiting = new Map<string, Call>()
  const found: { request: Call; answer: Call }[] = []
  for (const call of calls) {
    const socket = socketOf(call)
    if (!socket) continue
    if (/^(read|readv|recvfrom|recvmsg)$/.test(call.name) && call.args.includes('POST /v1/consents')) {
      waiting.set(socket, call)
    } else if (/^(write|writev|sendto|sendmsg)$/.test(call.name) && call.args.includes('HTTP/1.1 201')) {
      const request = waiting.get(socket)
      if (request) found.push({ request, answer: call })
      waiting.delete(socket)
    }
  }
  return found
}

describe.skipIf(!canTrace)('before a 201 leaves', () => {
  test('vault, ledger and escrow were written after the request came, in this order, and each sync had returned', async () => {
    const place = createPlace()
    const file = path.join(place.folder, 'trace')
    const traced = 'fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg'
    // -D: the server itself is our child, so that it is what is asked to stop.
    const under = ['strace', '-D', '-f', '-yy', '-s', '40', '-e', `trace=${traced}`, '-e', 'signal=none', '-o', file]
    const alone = times(10, 100)
    const together = times(30, 300)
    try {
      const server = await startServer(place, { under })
      try {
        const compose = await composer(server)
        for (let i = 0; i < alone; i++) await record(server, compose())
        await Promise.all(Array.from({ length: together }, () => record(server, compose())))
      } finally {
        await server.end('SIGTERM')
      }
      const calls = parseTrace(readFileSync(file, 'utf8'))
      const found = exchanges(calls)
      expect(found).toHaveLength(alone + together)

      const head = path.join(place.data, 'escrow', 'shop.node.head')
      const files = [path.join(place.data, 'vault.db-wal'), path.join(place.data, 'ledger.db-wal'), head]
      const [vaultCalls, ledgerCalls, headCalls] = files.map((name) =>
        calls.filter(({ args }) => args.includes(`<${name}>`)),
      )
      /** The first write after `line` that was synced, and the line on which that sync returned. */
      const durableAfter = (own: readonly Call[], line: number) => {
        const write = own.find(({ name, began }) => /^p?write/.test(name) && began > line)
        return own.find((call) => isSync(call) && write && call.began > write.returned)?.returned ?? Infinity
      }
      for (const { request, answer } of found) {
        const vault = durableAfter(vaultCalls!, request.returned)
        const ledger = durableAfter(ledgerCalls!, vault)
        const escrow = durableAfter(headCalls!, ledger)
        expect([request.returned, vault, ledger, escrow, answer.began]).toEqual(
          [request.returned, vault, ledger, escrow, answer.began].sort((a, b) => a - b),
        )
      }
      const syncs = files.map((name) => calls.filter((call) => isSync(call) && call.args.includes(`<${name}>`)).length)
      console.log(`${found.length} answers of 201; syncs of vault, ledger, escrow: ${syncs.join(', ')}`)
    } finally {
      place.remove()
    }
  })
})
