/** The account page's panel: what was chosen, when and under which words; what may be changed, and the way out in one click. */
import type { ComponentChildren } from 'preact'
import type { Notice, RecordedDecision } from '../../wire.js'
import { ChoicesForm, type OnDecide } from '../Choices.js'

export interface SettingsView {
  readonly notice: Notice
  readonly decided: boolean
  readonly granted: readonly string[]
  /** Unix milliseconds. */
  readonly decidedAt: number
  readonly validUntil: number
  /** Null where there is no record to refer to, or where the browser can't derive it. */
  readonly subject: string | null
  readonly hasRecord: boolean
  /** Nobody signed in chose, so that the account's records don't tell either. */
  readonly isNobody: boolean
  /** The browser's opt-out signal is what denies. */
  readonly isSignalled: boolean
  /** A choice has not reached the server. */
  readonly isWaiting: boolean
  /** Oldest first; null where the server could not be asked, undefined while it is not known. */
  readonly history: readonly RecordedDecision[] | null | undefined
  /** The words that the choice was made under; null while they are not known. */
  readonly shown: Notice | null
  /** What happened, to be announced. */
  readonly status: string
}

export interface SettingsHandlers {
  readonly onDecide: OnDecide
  onWithdraw(): void
  onCopy(): void
  /** The history is unfolded, or folded away. */
  onRecall(event: Event): void
  onReceipt(id: string): void
}

export const Settings = (view: SettingsView & SettingsHandlers) => {
  const { notice, granted, subject, history, shown, decided } = view
  const { words, language, categories } = notice
  // In the words' language, as it is written where the visitor is.
  const locales = [...navigator.languages.filter((tag) => `${tag}-`.startsWith(`${language}-`)), language]
  const format = (time: string | number) =>
    new Date(time).toLocaleString(locales, { dateStyle: 'long', timeStyle: 'short' })
  const did = {
    'accept-all': words.didAcceptAll,
    'reject-all': words.didRejectAll,
    save: words.didSave,
    withdraw: words.didWithdraw,
    link: words.didLink,
  }
  const row = (name: string, value: ComponentChildren, more?: ComponentChildren) => (
    <div class="row">
      <span>{name}</span>
      {value}
      {more}
    </div>
  )
  const plain = (text: string, onClick: () => void) => (
    <button type="button" part="button" class="plain" onClick={onClick}>
      {text}
    </button>
  )
  return (
    <section class="card" part="settings" aria-labelledby="heading">
      <h2 id="heading">{words.settingsTitle}</h2>
      {view.isSignalled && <p>{words.gpcHonoured}</p>}
      {decided ? (
        <>
          {row(words.decidedAt, format(view.decidedAt))}
          {row(words.validUntil, format(view.validUntil))}
        </>
      ) : (
        <p>{words.undecided}</p>
      )}
      {subject && row(words.consentId, <code dir="ltr">{subject}</code>, plain(words.copy, view.onCopy))}
      {decided && !view.hasRecord && view.isNobody && <p>{words.noRecord}</p>}
      {view.isWaiting && <p>{words.waiting}</p>}
      <ChoicesForm key={granted.join()} notice={notice} granted={granted} onDecide={view.onDecide} />
      {granted[0] && plain(words.withdraw, view.onWithdraw)}
      {view.hasRecord && (
        <details onToggle={view.onRecall}>
          <summary>{words.history}</summary>
          {history ? (
            <ol>
              {history.map(({ id, action, choices, recordedAt }) => (
                <li key={id}>
                  {format(recordedAt)}: {did[action]}
                  {categories.map((one) =>
                    one.id in choices ? `; ${one.title}: ${choices[one.id] ? words.granted : words.denied}` : '',
                  )}{' '}
                  {plain(words.receipt, () => view.onReceipt(id))}
                </li>
              ))}
            </ol>
          ) : (
            history === null && <p>{words.historyFailed}</p>
          )}
          {shown && (
            <details lang={shown.language}>
              <summary lang={language}>{words.shownText}</summary>
              <p>{shown.text}</p>
              {shown.categories.map(({ title, description }) => (
                <p>
                  <b>{title}</b>: {description}
                </p>
              ))}
            </details>
          )}
        </details>
      )}
      {/* By its key it is no other line's to take over: a live region that is replaced says nothing. */}
      <p key="status" role="status">
        {view.status}
      </p>
    </section>
  )
}
