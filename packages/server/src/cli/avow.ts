#!/usr/bin/env node
/** The command `avow`: finds the program asked for, and turns what it threw into one line and an exit status. */
import { keys } from './keys.js'
import { serve } from './serve.js'
import { verify } from './verify.js'

const PROGRAMS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { serve, keys, verify }

const USAGE = `avow <command>

  serve --config avow.json                    answer pages and the privacy team
  keys create --site SITE --name NAME [--scopes audit:read,audit:export]
                                              make an API key, shown once
  verify FILE --vkey KEY                      check an evidence bundle or a receipt, offline
`

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
    // `verify` speaks of truth by 0 and 1, so that for it "could not do it" is 2.
    process.exitCode = name === 'verify' ? 2 : 1
  }
}
