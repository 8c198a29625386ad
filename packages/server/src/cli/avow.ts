#!/usr/bin/env node
/** The command `avow`: finds the program asked for, and turns what it threw into one line and an exit status. */
import { exportRecords } from './export.js'
import { kek } from './kek.js'
import { keys } from './keys.js'
import { recover } from './recover.js'
import { serve } from './serve.js'
import { vault } from './vault.js'
import { verify } from './verify.js'
import { watch } from './watch.js'

const PROGRAMS: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  serve,
  keys,
  kek,
  vault,
  recover,
  export: exportRecords,
  verify,
  watch,
}

const USAGE = `avow <command>

  serve --config avow.json                    answer pages and the privacy team
  keys create --site SITE --name NAME [--scopes audit:read,audit:export] [--days N] [--reason WHY]
                                              make an API key, shown once
  keys list | rotate ID [--overlap-hours 24] | revoke ID
                                              show all keys, replace a secret, end a key at once
  kek create FILE                             make the key that wraps the vault
  kek rotate FILE                             wrap everything with a new one, and destroy the old
  vault create                                make a new vault where the old one is lost for good
  recover --site SITE --new-epoch [--force]   go on after the newest copy of a log is lost
  export URL --format ndjson|csv|jsonld|kantara --out FILE [--site SITE] [--reason WHY] [--account NAME]
         [--from TIME] [--to TIME] [--granted CATEGORY] [--denied CATEGORY] [--action ACTION] …
                                              all records that match, with a manifest beside; goes on where it broke off
  verify FILE --vkey KEY                      check an evidence bundle, its page or a receipt, offline
  verify URL|FOLDER --vkey KEY                check every entry, every tile and the checkpoint of a log
  verify --consistency OLD NEW --log URL|FOLDER --vkey KEY
                                              check that the newer checkpoint grew from the older
         --policy FILE                        and that enough witnesses cosigned
  watch URL --vkey KEY --state FILE [--interval 60] [--once]
                                              hold on to a log's checkpoint, and tell when it is forked

verify and watch exit with 0 for true, 1 for false, 2 if it could not be checked; watch with 3 for a log that is only
behind what it served before. export with 2 if it broke off, to be run again. AVOW_API_KEY reads a private log, and exports.
`

// Databases, keys and escrow are this user's alone, whatever folder they are made in.
process.umask(0o077)

const [name = '', ...args] = process.argv.slice(2)
const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined
if (!program) {
  process.stderr.write(USAGE)
  process.exitCode = name === '' || name === '--help' || name === 'help' ? 0 : 2
} else {
  try {
    process.exitCode = await program(args)
  } catch (error) {
    process.stderr.write(`avow ${name}: ${(error as Error).message}\n`)
    // These speak of truth by 0 and 1, so that for them "could not do it" is 2.
    process.exitCode = name === 'verify' || name === 'watch' ? 2 : 1
  }
}
