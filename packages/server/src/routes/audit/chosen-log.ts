/** Which log of a site a privacy team asks about, and where that log stands. */
import { z } from '@hono/zod-openapi'
import type { Ledger } from '../../ledger/ledger.js'
import { InputError } from '../../problem.js'
import type { Site } from '../site.js'

/** Which of the site's logs: the newest by default, `<site>` or `<site>.e2` for an earlier epoch. */
export const logName = z.string().max(80).optional()

export function ledgerOf({ ledger, logs }: Site, name: string | undefined): Ledger {
  const chosen = name === undefined ? ledger : logs.get(name)
  if (!chosen) throw new InputError('log', 'the name of one of the logs of the site')
  return chosen
}

/** What the log is at, as every list says. */
export async function logAt(ledger: Ledger): Promise<{ size: number; checkpoint: string }> {
  const { size, checkpoint } = await ledger.latest()
  return { size, checkpoint }
}
