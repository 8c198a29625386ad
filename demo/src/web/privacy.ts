/**
 * The privacy team's page. It speaks to the audit API with the key it is given, and verifies evidence here, with the
 * public key alone. The key lives in this page's memory: not in storage, not in an address.
 */

import { parseUniqueJson, type Verified, verifyBundle } from '@avow/server/verify'
import { sha256 } from '@noble/hashes/sha2.js'

/** A consent record, as the audit API lists it. */
interface AuditRecord {
  readonly index: number
  readonly id: string
  readonly subject: string
  readonly recordedAt: string
  readonly decidedAt: string
  readonly action: string
  readonly choices: Readonly<Record<string, boolean>>
  readonly layer: string
  readonly policy: { readonly version: string }
  readonly language: string
  readonly gpc: boolean | null
}

const PAGE_LIMIT = 10

const find = <E extends HTMLElement = HTMLElement>(id: string): E => {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found as E
}
const input = (id: string) => find<HTMLInputElement>(id)
const api = find('team').dataset.api ?? ''
const dateTime = (at: string) => at.replace('T', ' ').replace(/\.\d+Z$/, 'Z')
const choices = (all: Readonly<Record<string, boolean>>) =>
  Object.entries(all)
    .map(([category, granted]) => `${category}: ${granted ? 'granted' : 'denied'}`)
    .join(', ')

let cursor: string | null = null
let evidence: { readonly name: string; readonly text: string } | null = null

function cell(content: string | Node, className = ''): HTMLTableCellElement {
  const created = document.createElement('td')
  created.append(content)
  if (className) created.className = className
  return created
}

function row(...cells: readonly (string | number | Node)[]): HTMLTableRowElement {
  const created = document.createElement('tr')
  created.append(...cells.map((each) => (typeof each === 'number' ? cell(String(each), 'number') : cell(each))))
  return created
}

/** Runs what a button starts, and says in the page what went wrong. */
async function attempt(work: () => Promise<void> | void): Promise<void> {
  const problem = find('problem')
  problem.hidden = true
  try {
    await work()
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : String(error)
    problem.hidden = false
    problem.scrollIntoView({ block: 'nearest' })
  }
}

/** What a header may hold: fetch refuses more than Latin-1. */
const headerText = (text: string) => text.trim().replace(/[^\x20-\x7e\xa0-\xff]/g, '?')

async function ask(path: string): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(api + path, {
      headers: {
        Authorization: `Bearer ${input('key').value.trim()}`,
        'Avow-Reason': headerText(input('reason').value),
      },
      cache: 'no-store',
    })
  } catch {
    // fetch names no cause.
    throw new Error('The server can’t be reached.')
  }
  if (answer.ok) return answer
  const problem = (await answer.json().catch(() => ({}))) as { title?: string; detail?: string }
  throw new Error(`${answer.status}: ${problem.detail ?? problem.title ?? 'the server gave no reason'}`)
}

async function showRecords(from: string | null): Promise<void> {
  const query = new URLSearchParams({ limit: String(PAGE_LIMIT) })
  if (from) query.set('cursor', from)
  const page = (await (await ask(`/v1/audit/records?${query}`)).json()) as {
    records: AuditRecord[]
    next: string | null
    log: { size: number }
  }
  cursor = page.next
  find('latest').hidden = false
  find('latest-log').textContent = `The log holds ${page.log.size} entries: policies, notices and consent records.`
  find('latest')
    .querySelector('tbody')
    ?.replaceChildren(
      ...page.records.map((record) => {
        const pick = document.createElement('button')
        pick.type = 'button'
        pick.className = 'link'
        pick.textContent = `${record.subject.slice(0, 12)}…`
        pick.title = record.subject
        pick.addEventListener('click', () => {
          input('subject').value = record.subject
          void attempt(showHistory)
        })
        return row(
          record.index,
          dateTime(record.recordedAt),
          record.action,
          choices(record.choices),
          record.policy.version,
          pick,
        )
      }),
    )
  find<HTMLButtonElement>('older').disabled = page.next === null
  find<HTMLButtonElement>('newest').disabled = from === null
}

const subject = () => input('subject').value.trim()

async function showHistory(): Promise<void> {
  const answer = await ask(`/v1/audit/subjects/${encodeURIComponent(subject())}`)
  const { state, records } = (await answer.json()) as { state: string; records: AuditRecord[] }
  find('history').hidden = false
  find('state').textContent = state
  find('history')
    .querySelector('tbody')
    ?.replaceChildren(
      ...records.map((record) =>
        row(
          record.index,
          dateTime(record.decidedAt),
          dateTime(record.recordedAt),
          record.action,
          choices(record.choices),
          record.layer,
          record.policy.version,
          record.language,
          record.gpc === null ? 'unknown' : record.gpc ? 'on' : 'off',
        ),
      ),
    )
  find<HTMLButtonElement>('fetch-evidence').disabled = false
  find('history').scrollIntoView({ block: 'nearest' })
}

function hold(name: string, text: string): void {
  evidence = { name, text }
  find('evidence-state').textContent =
    `${name}: ${new Blob([text]).size.toLocaleString('en-US')} bytes, held in this page.`
  find<HTMLButtonElement>('download-evidence').disabled = false
  find<HTMLButtonElement>('verify').disabled = false
  find('verdict').replaceChildren()
}

async function fetchEvidence(): Promise<void> {
  const answer = await ask(`/v1/audit/subjects/${encodeURIComponent(subject())}/evidence`)
  hold(`avow-evidence-${subject().slice(0, 12)}.json`, await answer.text())
}

function download(): void {
  if (!evidence) return
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([evidence.text], { type: 'application/json' }))
  link.download = evidence.name
  link.click()
  URL.revokeObjectURL(link.href)
}

function verdict(isTrue: boolean, headline: string, ...details: readonly Node[]): void {
  const box = document.createElement('div')
  box.className = isTrue ? 'verdict good' : 'verdict bad'
  box.dataset.testid = isTrue ? 'verified' : 'refuted'
  const title = document.createElement('p')
  title.className = 'headline'
  title.textContent = headline
  box.append(title, ...details)
  find('verdict').replaceChildren(box)
}

const counted = (count: number, one: string, more: string) => `${count} ${count === 1 ? one : more}`

function showVerified({ subject, records, linked, unlinked, policies, notices, origin, size }: Verified): void {
  const summary = document.createElement('p')
  summary.textContent =
    `Subject ${subject}. ${counted(linked, 'record', 'records')}, ` +
    `${unlinked > 0 ? `${unlinked} more whose person is not proved, ` : ''}${counted(policies, 'policy', 'policies')} and ` +
    `${counted(notices, 'notice', 'notices')} proven to be in ${origin} at size ${size}, signed with this key. ` +
    `When something was recorded is the operator’s word.`
  const table = document.createElement('table')
  const head = table.createTHead().insertRow()
  for (const name of ['Index', 'Decided (browser)', 'Recorded (server)', 'Action', 'Choices', 'Policy']) {
    const heading = document.createElement('th')
    heading.scope = 'col'
    heading.textContent = name
    head.append(heading)
  }
  head.firstElementChild?.classList.add('number')
  const body = table.createTBody()
  for (const { index, decidedAt, recordedAt, action, choices: made, policyVersion } of records) {
    body.append(row(index, dateTime(decidedAt), dateTime(recordedAt), action, choices(made), policyVersion))
  }
  const scroll = document.createElement('div')
  scroll.className = 'scroll'
  scroll.append(table)
  verdict(true, '✓ Verified in this browser', summary, scroll)
}

function verify(): void {
  if (!evidence) return
  try {
    showVerified(verifyBundle(parseUniqueJson(evidence.text), input('vkey').value.trim()))
  } catch (error) {
    // A false proof, or a file or key that is none: either way the evidence is not accepted, and this is the reason.
    const reason = document.createElement('p')
    reason.textContent = error instanceof Error ? error.message : String(error)
    verdict(false, '✗ Not verified: the first thing that is false', reason)
  }
}

/** SHA-256 of the public key, in groups that can be read over a telephone. */
function showFingerprint(): void {
  // The name holds no `+`; base64 may (signed-note: cut at the first two).
  const key = input('vkey')
    .value.trim()
    .match(/^[^+]+\+[0-9a-f]{8}\+(.+)$/)?.[1]
  let text = 'not a public key of a log'
  if (key) {
    try {
      const bytes = Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0))
      const hex = Array.from(sha256(bytes.slice(1)), (byte) => byte.toString(16).padStart(2, '0')).join('')
      text = hex.match(/.{8}/g)?.join(' ') ?? hex
    } catch {
      // Not base64: said so below.
    }
  }
  find('fingerprint').replaceChildren(text)
}

const submit = (id: string, work: () => Promise<void> | void) =>
  find(id).addEventListener('submit', (event) => {
    event.preventDefault()
    void attempt(work)
  })
const click = (id: string, work: () => Promise<void> | void) =>
  find(id).addEventListener('click', () => void attempt(work))

submit('access', () => showRecords(null))
submit('lookup', showHistory)
submit('check', verify)
click('newest', () => showRecords(null))
click('older', () => showRecords(cursor))
click('fetch-evidence', fetchEvidence)
click('download-evidence', download)
find('vkey').addEventListener('input', showFingerprint)
input('subject').addEventListener('input', () => {
  find<HTMLButtonElement>('fetch-evidence').disabled = subject() === ''
})
input('evidence-file').addEventListener('change', () =>
  attempt(async () => {
    const file = input('evidence-file').files?.[0]
    if (file) hold(file.name, await file.text())
  }),
)
showFingerprint()

// The key in the address was for this page: it must not stay there, where history and screens keep it.
const given = new URLSearchParams(location.hash.slice(1))
if (given.has('key')) {
  input('key').value = given.get('key') ?? ''
  input('subject').value = given.get('subject') ?? ''
  history.replaceState(null, '', location.pathname)
}
