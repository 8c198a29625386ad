/** What a person finds on a page and does there, also inside open shadow roots: said once, for whatever drives the engine. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cookie, DrivenTab, Key } from './engine.js'

/** Where something is looked for: ours by its layer, the rest of the page as `page`. */
export type Layer = 'banner' | 'dialog' | 'settings' | 'held' | 'status' | 'page'

export interface Place {
  readonly layer: Layer
  /** By role and name, as a person would say it: `button`, `Accept all`; absent for the layer itself. */
  readonly role?: 'button' | 'switch' | 'link' | 'summary' | 'textbox'
  readonly name?: string
}

const findWithinMs = 10_000

/** Runs in the page. What is not shown is not found. */
function find({ layer, role, name }: Place): HTMLElement | null {
  const layers = {
    banner: ['avow-notice', 'section'],
    dialog: ['avow-notice', 'dialog'],
    status: ['avow-notice', '[role=status]'],
    settings: ['avow-settings', 'section'],
    held: ['avow-held', 'section'],
    page: null,
  }
  const roles = {
    button: 'button',
    switch: '[role=switch]',
    link: 'a[href]',
    summary: 'summary',
    textbox: 'input:not([type=checkbox])',
  }
  const where = layers[layer]
  const root = where ? document.querySelector(where[0]!)?.shadowRoot?.querySelector(where[1]!) : document.body
  const all = role ? Array.from(root?.querySelectorAll<HTMLElement>(roles[role]) ?? []) : [root as HTMLElement | null]
  const nameOf = (one: HTMLElement) =>
    (one as HTMLInputElement).labels?.[0]?.textContent ?? one.getAttribute('aria-label') ?? one.textContent ?? ''
  return all.find((one) => one?.checkVisibility() && (name === undefined || nameOf(one).trim() === name)) ?? null
}

/**
 * Runs in the page. What has the focus, by its text or what else names it; `body` where nothing has, `elsewhere` where what is
 * the engine's own has it.
 */
function focused(): string {
  if (!document.hasFocus()) return 'elsewhere'
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  if (!element || element === document.body) return 'body'
  return element.getAttribute('name') || element.textContent?.trim() || element.id || element.tagName.toLowerCase()
}

const written = (argument: unknown) => (argument === undefined ? 'undefined' : JSON.stringify(argument))

export class Tab {
  readonly #driven: DrivenTab

  constructor(driven: DrivenTab) {
    this.#driven = driven
  }

  goto(url: string): Promise<void> {
    return this.#driven.goto(url)
  }

  reload(): Promise<void> {
    return this.#driven.reload()
  }

  back(): Promise<void> {
    return this.#driven.back()
  }

  show(): Promise<void> {
    return this.#driven.show()
  }

  press(key: Key): Promise<void> {
    return this.#driven.press(key)
  }

  cookies(): Promise<readonly Cookie[]> {
    return this.#driven.cookies()
  }

  picture(): Promise<Buffer> {
    return this.#driven.picture()
  }

  /** Calls the function in the page. It knows nothing but its argument, and its value goes through JSON. */
  evaluate<Value, Argument = undefined>(call: (argument: Argument) => Value, argument?: Argument): Promise<Value> {
    return this.#driven.run(`(${call})(${written(argument)})`) as Promise<Value>
  }

  /** Calls the function with what is found there; null where nothing is. */
  in<Value, Argument = undefined>(
    place: Place,
    call: (element: HTMLElement, argument: Argument) => Value,
    argument?: Argument,
  ): Promise<Value | null> {
    const found = `(${find})(${written(place)})`
    return this.#driven.run(
      `((found) => found && (${call})(found, ${written(argument)}))(${found})`,
    ) as Promise<Value | null>
  }

  /** Whether it is there to be seen. */
  async sees(place: Place): Promise<boolean> {
    return (await this.in(place, () => true)) ?? false
  }

  text(place: Place): Promise<string | null> {
    return this.in(place, ({ textContent }) => textContent)
  }

  /** Clicks as a hand does, once it is there. */
  async click(place: Place): Promise<void> {
    const until = performance.now() + findWithinMs
    while (!(await this.#driven.click(`(${find})(${written(place)})`))) {
      if (performance.now() > until)
        throw new Error(`nobody could find ${JSON.stringify(place)} within ${findWithinMs} ms`)
      await pause(30)
    }
  }

  focused(): Promise<string> {
    return this.evaluate(focused)
  }
}
