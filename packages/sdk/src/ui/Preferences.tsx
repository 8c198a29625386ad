/** The second layer: every category, in a dialog of the browser's own, which keeps the focus and gives it back. */
import type { Notice } from '../wire.js'
import { ChoicesForm, type OnDecide, Text } from './Choices.js'

export const Preferences = ({
  notice,
  granted,
  onDecide,
  onClose,
}: {
  notice: Notice
  granted: readonly string[]
  onDecide: OnDecide
  onClose: () => void
}) => {
  const { words } = notice
  let dialog: HTMLDialogElement | null = null
  const show = (element: HTMLDialogElement | null) => {
    dialog = element
    if (dialog && !dialog.open) dialog.showModal()
  }
  /** That it was closed is told later: it may have been shown again by then, or be gone. */
  const onClosed = () => dialog && !dialog.open && onClose()
  return (
    <dialog class="card" part="dialog" ref={show} aria-labelledby="heading" onClose={onClosed}>
      <div class="row">
        <h2 id="heading">{words.preferencesTitle}</h2>
        <button type="button" part="button" class="plain" onClick={() => dialog!.close()}>
          {words.close}
        </button>
      </div>
      <Text notice={notice} />
      <ChoicesForm notice={notice} granted={granted} onDecide={onDecide} />
    </dialog>
  )
}
