/** `avow serve`: the server alone, from a configuration file and the environment. */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createAdaptorServer } from '@hono/node-server'
import { type Config, readConfig } from '../config.js'
import { createAvow } from '../main.js'
import { openStores, STORE_OPTIONS } from './stores.js'

/** Connections that may wait to be taken up. Of a thousand at once, Node's 511 leaves half to try again a second later. */
const BACKLOG = 4096

export async function serve(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { ...STORE_OPTIONS, config: { type: 'string', default: 'avow.json' } },
  })
  // What is said on the command line is as good as the environment.
  const env = { ...process.env, AVOW_DATA: values.data, AVOW_DATABASE: values.database, AVOW_VAULT: values.vault }
  const config = readConfig(values.config, env)
  const { database, vault, ...rest } = config
  // SQLite it opens itself, in a thread, which only a server needs.
  const avow = await createAvow(database || vault ? { ...rest, storage: await openStores(config) } : rest)
  const server = createAdaptorServer({ fetch: avow.app.fetch })
  server.listen({ port: config.port, host: config.host, backlog: BACKLOG })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  }).catch(async (error) => {
    await avow.close()
    throw error
  })
  // Before it says that it answers: whoever waits for that may tell it to stop at once.
  const told = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
  const where = config.database ? 'PostgreSQL' : config.data
  console.log(`avow answers at http://${config.host}:${config.port}, data in ${where}`)
  for (const { site } of config.sites) console.log(`${site}: verifies with ${avow.vkey(site)}`)
  const warning = escrowWarning(config)
  if (warning) console.error(warning)
  await told
  const closed = new Promise((resolve) => server.close(resolve))
  if ('closeIdleConnections' in server) server.closeIdleConnections()
  await closed
  await avow.close()
  return 0
}

/** What an operator should know of where the escrow is; null where it is well. Both folders are there. */
export function escrowWarning({ data, database, escrow }: Pick<Config, 'data' | 'database' | 'escrow'>): string | null {
  // In the folder there is no database to be copied with it.
  if (database) return null
  const way = path.relative(realpathSync(data), realpathSync(escrow))
  if (way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way)) return null
  return `warning: the escrow lies in the data folder, so going back to a copy of ${data} would not be noticed: with the server stopped move ${escrow} to another disk, and set AVOW_ESCROW to where it is`
}
