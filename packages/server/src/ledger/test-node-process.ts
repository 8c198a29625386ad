/**
 * A node as a process of its own, for tests that kill it, freeze it, or need it to act while the test itself stands still.
 * It waits for a line on its input, appends, and says each answer on its output: `<index> <key>`.
 */
import { createInterface } from 'node:readline'
import pg from 'pg'
import { openPostgresStorage } from '../storage/postgres.js'
import { UnavailableError } from '../storage/storage.js'
import type { Ledger } from './ledger.js'
import { draftOf, type NodeOrders, openNode } from './test-nodes.js'

/** Ends the sessions that hold a head and do nothing, as `idle_in_transaction_session_timeout` would. */
async function takeTheHead(url: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE state = 'idle in transaction' AND query LIKE '%avow_heads%' AND pid <> pg_backend_pid()`,
  )
  await client.end()
}

/** Until it is answered, as a browser's outbox would. */
async function submit(ledger: Ledger, key: string): Promise<void> {
  for (;;) {
    try {
      const { index } = await ledger.append(draftOf(key))
      process.stdout.write(`${index} ${key}\n`)
      return
    } catch (error) {
      // Frozen for so long that its locks were taken. Anything else is for the test to see.
      if (!(error instanceof UnavailableError)) throw error
      process.stdout.write(`refused ${key}\n`)
    }
  }
}

async function main(orders: NodeOrders) {
  const storage = await openPostgresStorage({ ...orders, warn: () => {} })
  const ledger = await openNode(storage, orders.escrow, orders.node)
  process.stdout.write('ready\n')
  await new Promise((resolve) => createInterface(process.stdin).once('line', resolve))
  if (orders.takesTheHead) await takeTheHead(orders.database)
  let next = 0
  const client = async () => {
    while (next < orders.count) await submit(ledger, `${orders.prefix}${next++}`)
  }
  await Promise.all(Array.from({ length: orders.clients }, client))
  process.stdout.write('done\n')
  process.exit()
}

await main(JSON.parse(process.argv[2] ?? '') as NodeOrders)
