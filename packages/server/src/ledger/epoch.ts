/**
 * Epochs: where the newest copy of a log is lost, a new log goes on, whose first entry names the last head that anyone was
 * given. The old one stays served and is never appended to.
 */
import { createHash } from 'node:crypto'
import { type Draft, Ledger, type LedgerParts } from './ledger.js'

/**
 * A site's logs among all, the newest epoch first: `<site>.e3`, `<site>.e2`, `<site>`. The first is there even when new. All
 * are those of the stores and those of the escrow (`escrowedLogs`): an older copy of the ledger lacks the newest epochs.
 */
export function epochsOf(site: string, logs: readonly string[]): string[] {
  const later = [...new Set(logs)]
    .map((log) => (log.startsWith(`${site}.e`) ? Number(log.slice(site.length + 2)) : Number.NaN))
    .filter((epoch) => Number.isSafeInteger(epoch) && epoch >= 2)
    .sort((a, b) => b - a)
  return [...later.map((epoch) => `${site}.e${epoch}`), site]
}

/** The log that follows the newest epoch. */
export function nextEpoch(site: string, logs: readonly string[]): string {
  const [newest = site] = epochsOf(site, logs)
  return newest === site ? `${site}.e2` : `${site}.e${Number(newest.slice(site.length + 2)) + 1}`
}

/** The first entry of a new epoch. `root` in base64, as in a checkpoint. */
export function epochDraft(old: { origin: string; size: number; root: string }): Draft {
  const digest = createHash('sha256').update(`avow/epoch/v1/${old.origin}/${old.size}`).digest()
  return { key: digest.subarray(0, 16), fingerprint: digest, compose: () => ({ kind: 'epoch', ...old }) }
}

/**
 * Opens a site's logs, named the newest epoch first, and answers them in this order. The oldest is opened first: what was
 * forgotten in an earlier one is carried out by the newer ones, which have its tombstones.
 */
export async function openEpochs(
  names: readonly string[],
  partsOf: (log: string) => Promise<Omit<LedgerParts, 'earlier'>>,
): Promise<Ledger[]> {
  const ledgers: Ledger[] = []
  for (const name of [...names].reverse()) {
    ledgers.unshift(await Ledger.open({ ...(await partsOf(name)), earlier: [...ledgers] }))
  }
  const [newest] = ledgers
  if (newest && newest.fork === null && !isUnbegun(ledgers)) await newest.finishErasures()
  return ledgers
}

/** Whether the newest epoch was made, and whoever made it died before its first entry. Anything else must not become that. */
export const isUnbegun = ([newest, ...earlier]: readonly Ledger[]): boolean =>
  earlier.length > 0 && newest?.head.size === 0 && newest.fork === null
