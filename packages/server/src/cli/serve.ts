/** `avow serve`: the server alone, from a configuration file and the environment. */
import { parseArgs } from 'node:util'
import { serve as listen } from '@hono/node-server'
import { readConfig } from '../config.js'
import { createAvow } from '../main.js'

export async function serve(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { config: { type: 'string', default: 'avow.json' } } })
  const config = readConfig(values.config, process.env)
  const avow = await createAvow(config)
  const server = listen({ fetch: avow.app.fetch, port: config.port, hostname: config.host })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  }).catch(async (error) => {
    await avow.close()
    throw error
  })
  console.log(`avow answers at http://${config.host}:${config.port}, data in ${config.data}`)
  for (const { site } of config.sites) console.log(`${site}: verifies with ${avow.vkey(site)}`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
  const closed = new Promise((resolve) => server.close(resolve))
  if ('closeIdleConnections' in server) server.closeIdleConnections()
  await closed
  await avow.close()
  return 0
}
