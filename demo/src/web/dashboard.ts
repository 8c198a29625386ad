/** The panels beside every page: analytics traffic as it arrives, and what the last decision left behind. */
import type { AnalyticsEvent } from '../traffic.js'
import { parseDecision, parseReceipt } from './decision.js'

/** A submission's answer, as far as it is shown. */
interface Answer {
  readonly id: string
  readonly index: number
  readonly recordedAt: string
  readonly subject: string
  readonly receipt: string
}

/** Declared in the policy; written only after a consent or its withdrawal. */
const LAST_RECEIPT = 'fr_last_receipt'
const EVENTS_SHOWN = 12

const find = (id: string) => document.getElementById(id)
const time = (at: string | Date) => new Date(at).toLocaleTimeString('en-GB')
const dateTime = (at: string | Date) =>
  new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')

function element(name: string, text: string, attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const created = document.createElement(name)
  created.textContent = text
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value)
  return created
}

function describe(list: Element | null | undefined, facts: Readonly<Record<string, string>>): void {
  list?.replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [
      element('dt', name),
      element('dd', value, { 'data-testid': name.toLowerCase().replaceAll(' ', '-') }),
    ]),
  )
}

function readAnswer(): Answer | null {
  try {
    return JSON.parse(sessionStorage.getItem(LAST_RECEIPT) ?? 'null')
  } catch {
    // Storage is blocked: this page shows the receipts of its own decisions only.
    return null
  }
}

let answer = readAnswer()
const list = find('traffic-events')
let received = 0

function showCount(): void {
  const isGranted = parseDecision(document.cookie)?.choices.analytics === true
  const counter = find('traffic-count')
  if (counter) counter.textContent = String(received)
  const none = find('traffic-none')
  if (!none) return
  none.hidden = isGranted && received > 0
  none.textContent = isGranted
    ? 'Waiting for the first event.'
    : received > 0
      ? 'Stopped. These came while you consented; nothing arrives without it.'
      : 'Nothing. The script is held until you consent.'
}

function showDecision(): void {
  const decision = parseDecision(document.cookie)
  const isGranted = decision?.choices.analytics === true
  const state = find('happened-state')
  if (state) {
    state.textContent = !decision ? 'undecided' : isGranted ? 'granted' : 'denied'
    state.classList.toggle('on', isGranted)
  }
  const flow = find('traffic-state')
  if (flow) {
    flow.textContent = isGranted ? 'on' : 'off'
    flow.classList.toggle('on', isGranted)
  }
  showCount()
  const none = find('happened-none')
  if (none) {
    none.hidden = Boolean(answer)
    none.textContent = decision
      ? 'This decision was recorded. Its receipt was shown on the page where it was made, and is not kept for a refusal.'
      : 'You have not decided yet: no consent cookie, no record.'
  }

  const cookie = find('happened-cookie')
  if (cookie) cookie.hidden = !decision
  if (decision) {
    describe(cookie?.querySelector('dl'), {
      Choices: Object.entries(decision.choices)
        .map(([category, granted]) => `${category}: ${granted ? 'granted' : 'denied'}`)
        .join(', '),
      'Decided at': dateTime(decision.decidedAt),
      'Last activity': dateTime(decision.lastActive),
      'Policy version': decision.policyVersion,
      Decision: `number ${decision.count} in this browser`,
      Secret: decision.hasSecret
        ? '128 random bits that tie this browser to its record'
        : 'none: a refusal leaves no identifier',
    })
  }

  const receipt = answer && parseReceipt(answer.receipt)
  const record = find('happened-record')
  const proof = find('happened-receipt')
  if (record) record.hidden = !answer
  if (proof) proof.hidden = !receipt
  if (answer) {
    describe(record?.querySelector('dl'), {
      'Record id': answer.id,
      'Record index': String(answer.index),
      'Recorded at': dateTime(answer.recordedAt),
      'Consent id': answer.subject,
    })
  }
  if (receipt) {
    describe(proof?.querySelector('dl'), {
      'Receipt index': String(receipt.index),
      'Log size': String(receipt.size),
      Proof: `${receipt.proofSize} hashes lead from the record to the root`,
    })
    const note = proof?.querySelector('pre')
    if (note) note.textContent = receipt.checkpoint
  }
}

document.addEventListener('avow:recorded', (event) => {
  if (!(event instanceof CustomEvent)) return
  answer = event.detail as Answer
  try {
    // A refusal leaves no identifier behind, so its receipt is gone with this page.
    if (parseDecision(document.cookie)?.hasSecret) sessionStorage.setItem(LAST_RECEIPT, JSON.stringify(answer))
    else sessionStorage.removeItem(LAST_RECEIPT)
  } catch {
    // Storage is blocked or full: the receipt is gone with this page.
  }
  showDecision()
})

interface PageWindow {
  readonly avow?: (method: 'on', name: 'change', callback: () => void) => void
  readonly cookieStore?: EventTarget
}

function follow(): void {
  const { avow, cookieStore } = window as PageWindow
  avow?.('on', 'change', showDecision)
  // Another tab's decision; plain http has no cookieStore and is looked at when shown again.
  cookieStore?.addEventListener('change', showDecision)
  document.addEventListener('visibilitychange', showDecision)
  showDecision()
}

showDecision()
// The tag is async: its function is there once the page has loaded.
if (document.readyState === 'complete') follow()
else addEventListener('load', follow)

function showEvent({ type, path, detail, receivedAt }: AnalyticsEvent): void {
  const item = element('li', '')
  const what = { 'page-view': 'page view', feature: 'feature used', navigation: 'navigation' }[type]
  const text = type === 'navigation' ? `${detail} → ${path}` : (detail ?? path)
  item.append(
    element('time', time(receivedAt), { datetime: receivedAt }),
    element('span', what, { class: 'what' }),
    element('code', text),
  )
  list?.prepend(item)
  while (list && list.children.length > EVENTS_SHOWN) list.lastElementChild?.remove()
  received++
  showCount()
}

let stream: EventSource | null = null

/** Watches only while somebody can see it: a browser opens few connections to one host. */
function watch(): void {
  const panel = find('traffic')
  const isSeen = panel instanceof HTMLDetailsElement && panel.open && document.visibilityState === 'visible'
  if (!isSeen) {
    stream?.close()
    stream = null
    return
  }
  if (stream) return
  stream = new EventSource('/traffic')
  stream.addEventListener('recent', ({ data }) => {
    list?.replaceChildren()
    received = 0
    for (const event of JSON.parse(data) as AnalyticsEvent[]) showEvent(event)
    showCount()
  })
  stream.addEventListener('message', ({ data }) => showEvent(JSON.parse(data)))
}

watch()
find('traffic')?.addEventListener('toggle', watch)
document.addEventListener('visibilitychange', watch)
// A page kept for the back button must not keep its connection.
addEventListener('pagehide', () => {
  stream?.close()
  stream = null
})
addEventListener('pageshow', watch)
