/** What the privacy team's programs do: ask the audit API with a key and a reason, and run `avow verify`. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { DemoFacts } from './demo.js'

const program = fileURLToPath(new URL('../../packages/server/dist/cli/avow.js', import.meta.url))

/** The fields of a record that the stories look at. */
export interface AuditRecord {
  readonly index: number
  readonly id: string
  readonly subject: string
  readonly action: string
  readonly choices: Readonly<Record<string, boolean>>
  readonly layer: string
  readonly previous: string | null
  readonly decidedAt: string
  readonly recordedAt: string
  readonly validUntil: string
}

export interface AuditPage {
  readonly records: readonly AuditRecord[]
  readonly next: string | null
  readonly log: { readonly size: number; readonly checkpoint: string }
}

export async function ask(demo: DemoFacts, path: string): Promise<Response> {
  const headers = { Authorization: `Bearer ${demo.auditKey}`, 'Avow-Reason': 'browser story' }
  const answer = await fetch(`${demo.apiUrl}/v1/audit/${path}`, { headers })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

/** The records with an index from `since` on, newest first. A story makes a handful; one page holds them all. */
export async function recordsSince(demo: DemoFacts, since: number): Promise<readonly AuditRecord[]> {
  const { records }: AuditPage = await (await ask(demo, 'records?limit=50')).json()
  return records.filter(({ index }) => index >= since)
}

export async function logSize(demo: DemoFacts): Promise<number> {
  const { log }: AuditPage = await (await ask(demo, 'records?limit=1')).json()
  return log.size
}

export const evidenceOf = async (demo: DemoFacts, subject: string) =>
  (await ask(demo, `subjects/${subject}/evidence`)).text()

/** `avow verify FILE --vkey KEY`, as a shell would run it. */
export function runVerify(file: string, vkey: string | null) {
  const key = vkey === null ? [] : ['--vkey', vkey]
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'verify', file, ...key], {
    encoding: 'utf8',
  })
  return { status, said: `${stdout}${stderr}` }
}
