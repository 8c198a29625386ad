/** `avow keys create`: makes an API key, while the server runs or not. */
import { parseArgs } from 'node:util'
import { createApiKey, SCOPES, type Scope } from '../middleware/api-key.js'
import { InputError } from '../problem.js'
import { blindedSites } from '../vault/blind.js'
import { openKeys, STORE_OPTIONS } from './stores.js'

export async function keys(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...STORE_OPTIONS,
      site: { type: 'string' },
      name: { type: 'string' },
      scopes: { type: 'string', default: 'audit:read,audit:export' },
      days: { type: 'string' },
    },
  })
  if (positionals[0] !== 'create') throw new InputError('command', 'create')
  if (!values.site) throw new InputError('--site', 'the site the key is for')
  if (!values.name) throw new InputError('--name', 'who will hold the key')
  const scopes = values.scopes.split(',')
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope))
  if (unknown !== undefined) throw new InputError('--scopes', `some of ${SCOPES.join(', ')}`)
  if (values.days !== undefined && !/^[1-9]\d{0,4}$/.test(values.days))
    throw new InputError('--days', 'a number of days')
  const now = Date.now()
  const expiresAt = values.days === undefined ? null : now + Number(values.days) * 86_400_000
  const { token, row } = createApiKey(
    { name: values.name, site: values.site, scopes: scopes as Scope[], expiresAt },
    now,
  )
  const store = await openKeys(values)
  try {
    const sites = blindedSites(await store.vaultValues())
    if (!sites.includes(values.site)) {
      throw new InputError('--site', `a site that is served from here: ${sites.join(', ') || 'none yet'}`)
    }
    await store.keys.add(row)
  } finally {
    await store.close()
  }
  process.stderr.write(`${row.id} for ${values.site}: ${scopes.join(', ')}. The key is shown this once:\n`)
  process.stdout.write(`${token}\n`)
  return 0
}
