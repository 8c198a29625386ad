/**
 * Loaded before the server (`node --import`), so that it dies at one exact place: the product has no hooks for tests. It
 * looks at what is handed to SQLite and to the file system, the two edges that what is promised passes.
 *
 * `AVOW_FAILPOINT` names the place; it counts once the file `AVOW_FAILPOINT_ARMED` is there.
 */
import fs, { existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import Database from 'better-sqlite3'

const place = process.env.AVOW_FAILPOINT
const isArmed = () => existsSync(process.env.AVOW_FAILPOINT_ARMED ?? '')
const die = () => {
  process.kill(process.pid, 'SIGKILL')
  // The signal to oneself is there before the call returns; this is never reached.
  for (;;);
}

/** Dies instead of running a statement that starts so. */
function dieAtStatement(start) {
  const { prepare } = Database.prototype
  Database.prototype.prepare = function (sql) {
    const statement = prepare.call(this, sql)
    if (!sql.trimStart().startsWith(start)) return statement
    const run = statement.run.bind(statement)
    statement.run = (...values) => (isArmed() ? die() : run(...values))
    return statement
  }
}

/** Dies at a write to a file whose name ends so, once `share` of the bytes are written. */
function dieAtWrite(ending, share) {
  const { openSync, writeSync } = fs
  const descriptors = new Set()
  fs.openSync = (file, ...rest) => {
    const descriptor = openSync(file, ...rest)
    if (String(file).endsWith(ending)) descriptors.add(descriptor)
    else descriptors.delete(descriptor)
    return descriptor
  }
  fs.writeSync = (descriptor, bytes, ...rest) => {
    if (!descriptors.has(descriptor) || !isArmed()) return writeSync(descriptor, bytes, ...rest)
    const [offset = 0, , position = null] = rest
    const part = Math.floor(bytes.length * share)
    if (part > 0) writeSync(descriptor, Buffer.from(bytes), offset, part, position)
    return die()
  }
  syncBuiltinESMExports()
}

const places = {
  // The vault's transaction is committed, the ledger's has begun.
  'between vault and ledger': () => dieAtStatement('INSERT INTO entries'),
  'between ledger and escrow': () => dieAtWrite('.head', 0),
  'in the middle of the escrow': () => dieAtWrite('.head', 0.01),
  // Neither the escrow nor the ledger knows of the erasure.
  'before the escrow has the tombstones': () => dieAtWrite('.tombstones', 0),
  // In the middle of the first line, which the first of those written again would then go on.
  'in the middle of a tombstone in the escrow': () => dieAtWrite('.tombstones', 0.1),
  // The tombstones are in ledger and escrow, the secrets are still in the vault.
  'between tombstone and deletion': () => dieAtStatement('UPDATE vault SET secrets'),
}

if (place) places[place]()
