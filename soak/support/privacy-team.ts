/** What the privacy team can see: every record opened through the audit API, with a key. */
import { type Server, SITE } from './place.js'

export interface AuditRecord {
  readonly index: number
  readonly log: string
  readonly id: string
  readonly subject: string
  readonly recordedAt: string
}

export const ask = (server: Server, key: string, path: string) =>
  fetch(`${server.url}/v1/audit/${path}`, { headers: { Authorization: `Bearer ${key}`, 'Avow-Reason': 'soak' } })

/** Every record of a log that opens, newest first. */
export async function allRecords(server: Server, key: string, log = SITE): Promise<AuditRecord[]> {
  const records: AuditRecord[] = []
  for (let cursor = ''; ; ) {
    const answer = await ask(server, key, `records?limit=1000&log=${log}${cursor}`)
    if (!answer.ok) throw new Error(`records: ${answer.status} ${await answer.text()}`)
    const page = (await answer.json()) as { records: AuditRecord[]; next: string | null }
    records.push(...page.records)
    if (page.next === null) return records
    cursor = `&cursor=${page.next}`
  }
}
