/**
 * What an evidence page shows: tables and words made of a bundle, to read and print without running anything. Pure, and the
 * same on the server and in the page, whose script makes it again of the evidence to see that nobody changed what is shown.
 */
import { parseNote } from '../../ledger/note.js'
import { fingerprintOf } from '../fingerprint.js'
import { NOT_PROVED } from '../limits.js'

type Json = Readonly<Record<string, unknown>>

interface Placed {
  readonly index: number
  readonly hash: string
  readonly document: Json
}

/** A bundle as far as it is shown. */
export interface ShownBundle {
  readonly vkey: string
  readonly subject: string
  readonly asOf: string
  readonly checkpoint: string
  readonly records: readonly {
    readonly index: number
    readonly evidence: object | null
    readonly identity: object | null
  }[]
  readonly policies: readonly (Placed & { readonly version: string })[]
  readonly notices: readonly (Placed & { readonly language: string })[]
  readonly tombstones: readonly { readonly index: number; readonly body: object }[]
}

/** Joiners are part of how some scripts are written, and of signs that are drawn as one; after ASCII they only hide. */
const UNSEEN =
  /[\p{Cc}\p{Cs}\u2028\u2029\ufff9-\ufffb]|(?<=^|\p{ASCII})[\u200c-\u200d]|(?![\u200c-\u200d]|\ufe0e|\ufe0f)\p{DI}/gu

/**
 * Text as markup that means nothing else, whatever a stranger chose it to be. What no one sees, or what turns around how the rest is
 * read, is shown by its number.
 */
export const escapeHtml = (text: string): string =>
  text
    .replace(/[&<>"'`]/g, (letter) => `&#${letter.charCodeAt(0)};`)
    .replace(UNSEEN, (letter) =>
      letter === '\n' ? letter : `[U+${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    )

/** The content of the page's main part. */
export function renderEvidence(bundle: ShownBundle): string {
  const { text, signatures } = parseNote(bundle.checkpoint)
  const [origin = '', size = ''] = text.split('\n')
  const witnesses = [...new Set(signatures.map(({ name }) => name))].filter((name) => name !== origin)
  const controller = controllerOf(bundle)
  return [
    facts([
      ['About', code(bundle.subject)],
      ['From the log', code(origin)],
      ['Entries in the log', escapeHtml(size)],
      ['Made at, by the operator’s word', escapeHtml(bundle.asOf)],
      ['Made by', escapeHtml(controller ? String(controller.name) : origin)],
    ]),
    '<p class="warning"><strong>Whoever made this page is the party it vouches for.</strong> Its figures can be checked by ' +
      'anybody, but not by believing the page: compare the key, or check the file with a program of your own.</p>',
    section('records', 'What was recorded', renderRecords(bundle)),
    section('key', 'The key', renderKey(bundle.vkey, origin, witnesses, controller)),
    section('limits', 'What this does not prove', list(NOT_PROVED.map(escapeHtml))),
    section('words', 'The words that were shown', bundle.notices.map(renderNotice).join('')),
    section('policies', 'The policies behind them', bundle.policies.map(renderPolicy).join('')),
  ].join('\n')
}

/** Who answers for what was recorded last: an older policy may be of somebody else. */
function controllerOf({ records, policies }: ShownBundle): Json | undefined {
  const evidence = records.map((record) => record.evidence as Json | null).findLast((part) => part !== null)
  const cited = evidence?.policy as Json | undefined
  return policies.find(({ hash }) => hash === cited?.hash)?.document.controller as Json | undefined
}

/** What the browser said of when, and what is to be thought of it. */
function renderDecided({ action, clock, decidedAt }: Json): string {
  if (action === 'lapse') return `by nobody: nothing known of the person since ${text(decidedAt)}`
  return `${text(decidedAt)}${clock === 'implausible' ? ' (implausible: the time of recording counts)' : ''}`
}

function renderRecords({ records, tombstones }: ShownBundle): string {
  const columns = [
    'Entry',
    'Recorded (server)',
    'Decided (browser)',
    'How',
    'Choices',
    'Policy',
    'Words',
    'Signal',
    'Record',
  ]
  const rows = records.map(({ index, evidence, identity }) => {
    const { recordedAt, action, layer, choices, policy, notice, gpc } = (evidence ?? {}) as Json
    const { id } = (identity ?? {}) as Json
    if (!evidence) return row([text(index), ...Array(columns.length - 1).fill('erased')])
    return row([
      text(index),
      text(recordedAt),
      renderDecided(evidence as Json),
      `${text(action)}${layer === undefined ? '' : `, ${text(layer)}`}`,
      Object.entries(choices as Record<string, boolean>)
        .map(([category, granted]) => `${text(category)}: <strong>${granted ? 'granted' : 'denied'}</strong>`)
        .join('<br>'),
      text((policy as Json).version),
      text((notice as Json).language),
      gpc === true ? 'opt-out signal on' : gpc === false ? 'off' : 'not known',
      id === undefined ? 'unlinked: person not proved' : code(String(id)),
    ])
  })
  const erasures = tombstones.map(({ index, body }) => {
    const { at, grade, ground, index: of, log } = body as Json
    return row([
      text(index),
      text(at),
      text(grade),
      text(log === undefined ? of : `${String(of)} of ${String(log)}`),
      text(ground),
    ])
  })
  const unlinked = records.filter(({ identity }) => !identity).length
  return (
    table('Records of this person, in the order of the log', columns, rows) +
    (unlinked === 0 ? '' : `<p>Of ${unlinked} of these the person is not proved: what linked them was erased.</p>`) +
    (erasures.length === 0
      ? ''
      : table('What was erased', ['Entry', 'At', 'How far', 'Which entry', 'Ground'], erasures))
  )
}

function renderKey(vkey: string, origin: string, witnesses: readonly string[], controller: Json | undefined): string {
  const contact = controller
    ? `${String(controller.name)}, ${String(controller.address)}, ${String(controller.email)}`
    : ''
  return [
    facts([
      ['Key in this page', code(vkey)],
      ['Its fingerprint', code(fingerprintOf(vkey))],
    ]),
    '<p>The key in this page proves nothing by being here. Compare its fingerprint with one that came to you in another way: from a ' +
      'contract or a letter, from a receipt or checkpoint that you already hold, from who watches or witnesses the log ' +
      `${code(origin)}, or by asking ${contact === '' ? 'whoever runs it' : escapeHtml(contact)} over a line that you chose. Then ` +
      'paste it above.</p>',
    witnesses.length === 0
      ? '<p>No witness has cosigned the checkpoint.</p>'
      : `<p>The checkpoint also carries signatures in these names, which are checked by <code>avow verify --policy</code> alone:</p>${list(witnesses.map(code))}`,
    `<p>The same check outside this page: <code>avow verify FILE --vkey KEY</code>, with this file and the key you were given.</p>`,
  ].join('')
}

function renderNotice({ index, hash, document }: ShownBundle['notices'][number]): string {
  const { text: banner, language, dir, policy, categories, cookies, words, ...rest } = document
  const lang = `lang="${text(language)}" dir="${dir === 'rtl' ? 'rtl' : 'ltr'}"`
  return (
    `<h3>In ${text(language)}, of policy ${text((policy as Json | undefined)?.version)}</h3>` +
    `<p>Entry ${text(index)}, hash ${code(hash)}</p>` +
    `<blockquote ${lang}>${text(banner)}</blockquote>` +
    `<div ${lang}>${value({ categories, cookies, words })}</div>${value(rest)}`
  )
}

function renderPolicy({ index, version, hash, document }: ShownBundle['policies'][number]): string {
  return `<h3>Policy ${escapeHtml(version)}</h3><p>Entry ${text(index)}, hash ${code(hash)}</p>${value(document)}`
}

/** Any JSON, as nested lists. */
function value(json: unknown): string {
  if (Array.isArray(json)) return json.length === 0 ? '<p>none</p>' : list(json.map(value))
  if (typeof json === 'object' && json !== null)
    return facts(
      Object.entries(json)
        .filter(([, inner]) => inner !== undefined)
        .map(([name, inner]) => [name, value(inner)]),
    )
  return text(json)
}

const text = (json: unknown): string => escapeHtml(String(json ?? ''))
const code = (words: string): string => `<code>${escapeHtml(words)}</code>`
const list = (items: readonly string[]): string => `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`
const section = (id: string, title: string, content: string): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`

/** `[name, markup]` each. */
const facts = (all: readonly (readonly [name: string, markup: string])[]): string =>
  `<dl>${all.map(([name, markup]) => `<div><dt>${escapeHtml(name)}</dt><dd>${markup}</dd></div>`).join('')}</dl>`

const row = ([first, ...cells]: readonly string[]): string =>
  `<tr><th scope="row">${first}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`

const table = (caption: string, columns: readonly string[], rows: readonly string[]): string =>
  `<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption><thead><tr>` +
  `${columns.map((column) => `<th scope="col">${column}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
