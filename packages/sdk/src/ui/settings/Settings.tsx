/** The account page's panel: the choice, when it was made, what it is filed under, and the way out in one click. */
import type { Notice } from '../../wire.js'

export interface SettingsView {
  readonly notice: Notice
  readonly decided: boolean
  readonly granted: readonly string[]
  readonly decidedAt: number | null
  /** Null where there is no record to refer to, or where the browser can't derive it. */
  readonly subject: string | null
  readonly hasRecord: boolean
  /** The browser's opt-out signal is what denies. */
  readonly isSignalled: boolean
}

export function Settings({
  view,
  onWithdraw,
  onChange,
}: {
  view: SettingsView
  onWithdraw: () => void
  onChange: () => void
}) {
  const { notice, decided, granted, decidedAt, subject, hasRecord, isSignalled } = view
  const { words } = notice
  return (
    <section class="card" aria-labelledby="heading">
      <h2 id="heading">{words.settingsTitle}</h2>
      {isSignalled && <p data-gpc>{words.gpcHonoured}</p>}
      {decided ? (
        notice.categories.map(({ id, title, required }) => (
          <div class="row" key={id}>
            <span>{title}</span>
            <strong>{required ? words.alwaysOn : granted.includes(id) ? words.granted : words.denied}</strong>
          </div>
        ))
      ) : (
        <p>{words.undecided}</p>
      )}
      {decidedAt !== null && (
        <div class="row">
          <span>{words.decidedAt}</span>
          <span>{new Date(decidedAt).toLocaleString(notice.language, { dateStyle: 'long', timeStyle: 'short' })}</span>
        </div>
      )}
      {subject && (
        <div class="row">
          <span>{words.consentId}</span>
          <code data-consent-id>{subject}</code>
        </div>
      )}
      {decided && !hasRecord && <p class="soft">{words.noRecord}</p>}
      <div class="row actions">
        {granted.length > 0 && (
          <button type="button" data-withdraw onClick={onWithdraw}>
            {words.withdraw}
          </button>
        )}
        <button type="button" class="plain" data-change onClick={onChange}>
          {words.change}
        </button>
      </div>
    </section>
  )
}
