/** The second layer: every category with its cookies. Nothing is ticked that the visitor has not ticked. */
import type { Action, Choices, Notice } from '../wire.js'

export function Preferences({
  notice,
  granted,
  onDecide,
  onClose,
}: {
  notice: Notice
  granted: readonly string[]
  onDecide: (action: Action, event: Event, switches?: Choices) => void
  onClose: () => void
}) {
  const { words } = notice
  let dialog: HTMLDialogElement | null = null
  const show = (element: HTMLDialogElement | null) => {
    dialog = element
    if (dialog && !dialog.open) dialog.showModal()
  }
  const save = (event: Event) => {
    const inputs = Array.from(dialog!.querySelectorAll('input'), ({ name, checked }) => [name, checked])
    onDecide('save', event, Object.fromEntries(inputs))
  }
  return (
    <dialog class="card" ref={show} aria-labelledby="heading" onClose={onClose}>
      <div class="row">
        <h2 id="heading">{words.preferencesTitle}</h2>
        <button type="button" class="plain" onClick={() => dialog!.close()}>
          {words.close}
        </button>
      </div>
      <p>
        {notice.text} <a href={notice.policyUrl}>{words.policyLink}</a>
      </p>
      {notice.categories.map(({ id, title, description, required }) => {
        const cookies = notice.cookies.filter(({ category }) => category === id)
        const Row = required ? 'div' : 'label'
        return (
          <div class="category" key={id}>
            <Row class="row">
              <h3>{title}</h3>
              {required ? (
                words.alwaysOn
              ) : (
                // biome-ignore lint/a11y/useAriaPropsForRole: a native checkbox tells its own state.
                <input type="checkbox" role="switch" name={id} defaultChecked={granted.includes(id)} />
              )}
            </Row>
            <p>{description}</p>
            {cookies[0] && (
              <details>
                <summary>{cookies.map(({ name }) => name).join(', ')}</summary>
                {cookies.map(({ name, provider, purpose, lifetime }) => (
                  <p key={name}>
                    <b>{name}</b>: {purpose} ({provider}, {lifetime})
                  </p>
                ))}
              </details>
            )}
          </div>
        )
      })}
      <div class="actions">
        <button type="button" class="plain" onClick={save}>
          {words.save}
        </button>
        <button type="button" onClick={(event) => onDecide('reject-all', event)}>
          {words.rejectAll}
        </button>
        <button type="button" onClick={(event) => onDecide('accept-all', event)}>
          {words.acceptAll}
        </button>
      </div>
    </dialog>
  )
}
