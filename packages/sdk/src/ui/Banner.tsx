/** The first layer: a labelled region that stops nobody from using the page. */
import type { Action, Notice } from '../wire.js'

export function Banner({
  notice,
  onDecide,
  onManage,
}: {
  notice: Notice
  onDecide: (action: Action, event: Event) => void
  onManage: () => void
}) {
  const { words } = notice
  // Refusing is as easy as accepting: same row, same size, same weight.
  return (
    <section class="card" aria-labelledby="title">
      <h2 id="title">{words.title}</h2>
      <p>
        {notice.text} <a href={notice.policyUrl}>{words.policyLink}</a>
      </p>
      <div class="actions">
        <button type="button" class="plain" onClick={onManage}>
          {words.manage}
        </button>
        <button type="button" onClick={(event) => onDecide('reject-all', event)}>
          {words.rejectAll}
        </button>
        <button type="button" onClick={(event) => onDecide('accept-all', event)}>
          {words.acceptAll}
        </button>
      </div>
    </section>
  )
}
