/**
 * Where a frame or an image is held, a box of its size says so and offers the choice. What is held is let go by the
 * gate; here it is only covered and uncovered.
 */
import { render } from 'preact'
import { attempt } from '../loader/attempt.js'
import { heldFrames } from '../loader/gate.js'
import type { Notice } from '../wire.js'
import { dress, placeStyles } from './styles.js'

export interface Places {
  /** Covers all that is held and not covered yet. */
  place(notice: Notice, granted: readonly string[]): void
  /** Uncovers what has been granted since. */
  update(granted: readonly string[]): void
}

/** An element that isn't laid out, and says nothing of its size, gets room for a sentence and a button. */
const unknown = { width: 240, height: 120 }

export function createPlaces(onAllow: (category: string, event: Event) => void): Places {
  const covers = new Map<HTMLIFrameElement, { cover: HTMLElement; display: string }>()

  function cover(element: HTMLIFrameElement, { words, categories, language, dir }: Notice): void {
    const category = categories.find(({ id }) => id === element.dataset.avow)
    // A category that the policy doesn't know can't be granted, so nothing is offered.
    if (!category) return
    const made = document.createElement('avow-held')
    made.lang = language
    made.dir = dir
    // Of what is inside: on the host itself `all: initial` would undo it.
    const width = element.offsetWidth || element.width || unknown.width
    const height = element.offsetHeight || element.height || unknown.height
    render(
      <section class="card" part="held" aria-label={category.title} style={`width:${width}px;height:${height}px`}>
        <p>{words.heldText.replace('{category}', category.title)}</p>
        <button type="button" part="button" onClick={(event) => onAllow(category.id, event)}>
          {words.heldAllow}
        </button>
      </section>,
      dress(made, placeStyles),
    )
    covers.set(element, { cover: made, display: element.style.display })
    element.before(made)
    element.style.display = 'none'
  }

  function update(granted: readonly string[]): void {
    for (const [element, { cover, display }] of covers) {
      if (element.isConnected && !granted.includes(element.dataset.avow!)) continue
      covers.delete(element)
      cover.remove()
      element.style.display = display
    }
  }

  return {
    update,
    place(notice, granted) {
      update(granted)
      for (const element of document.querySelectorAll<HTMLIFrameElement>(`${heldFrames}:not([src])`)) {
        // A page that forbids even this is left as it is.
        if (!covers.has(element) && !granted.includes(element.dataset.avow!)) attempt(() => cover(element, notice))
      }
    },
  }
}
