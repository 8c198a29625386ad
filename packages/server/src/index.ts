/** For those who embed Avow in a server of their own. */
export type { AlarmOptions, WorkingHours } from './access/alarms.js'
export { SCOPES, type Scope } from './access/caller.js'
export type { OidcOptions } from './access/token.js'
export type { WebhookTarget } from './access/webhook.js'
export {
  type Config,
  parseOrigin,
  parsePort,
  parseRateLimit,
  readConfig,
  readKeys,
  readPolicy,
  type SiteOptions,
} from './config.js'
export type { PageOptions } from './consent/page-options.js'
export { type Avow, type AvowOptions, createAvow, VERSION } from './main.js'
export type { JwkSet } from './middleware/account.js'
export { InputError } from './problem.js'
export { type Scripts, siteScript } from './routes/script.js'
export { createMemoryStorage } from './storage/memory.js'
export { openSqliteStorage } from './storage/sqlite.js'
export { openThreadedSqliteStorage } from './storage/sqlite-thread.js'
export { LockedError, OriginError, type Storage } from './storage/storage.js'
export { formatKeys, generateKey, KeyringError } from './vault/keyring.js'
