/**
 * Holds back what needs consent and lets it go: `<script type="text/plain" data-avow="analytics">`,
 * `<template data-avow="analytics">`, frames and images with `data-avow-src`, and functions given to `whenGranted`. Knows
 * nothing of why a category is granted.
 */
import { attempt } from './attempt.js'

/** What a site starts with a grant; a function that it returns stops it again. Whatever else it returns can't. */
export type Start = () => unknown

/** Frames and images that name what they would load; nothing else that an address could be put into. */
export const heldFrames = ':is(iframe,img)[data-avow-src]'

export interface Gate {
  /** Lets go what has been granted, once the document is parsed: before, a tag may not be whole. */
  scan(): void
  /** Follows a change. */
  update(): void
  /** Whether something has run that only a reload can take back. */
  mustReload(): boolean
  whenGranted(category: string, start: Start): void
}

/** `nonce`: that of the page's policy, as far as it is known to be its. */
export function createGate(document: Document, nonce: string, isGranted: (category: string) => boolean): Gate {
  const watches: (() => void)[] = []
  /**
   * What ran and can't be stopped, with its category. Scripts by address or text: a router that swaps the body brings
   * them again, and they must not run again.
   */
  const ran = new Map<unknown, string>()
  /** What has been let go, or refused once and for all. It keeps its attributes: a router may keep a copy of the page. */
  const seen = new WeakSet<Element>()
  let loadingSize = 0

  /** Takes the very element out and puts it in again, where it starts anew (HTML, "prepare the script"; frames likewise). */
  function reinsert(element: Element): void {
    const place = new Comment()
    element.replaceWith(place)
    place.replaceWith(element)
  }

  function release(script: HTMLScriptElement, category: string): void {
    const key = script.src || script.text
    if (ran.has(key)) return
    // Ours may be trusted by 'strict-dynamic' to insert anything; so it inserts nothing the page's author didn't sign. Where
    // there are nonces and none is known to be right, nobody can say what was signed.
    const isSigned = nonce
      ? script.nonce === nonce
      : ![...document.querySelectorAll<HTMLElement>('[nonce]')].some((element) => element.nonce)
    if (!isSigned) throw `no nonce: ${key}`
    ran.set(key, category)
    script.type = script.dataset.avowType ?? ''
    // Inserted scripts run as they arrive unless told otherwise.
    script.async = script.hasAttribute('async')
    // What is no script of this browser's says neither that it has loaded nor that it can't be.
    if (script.src && !script.async && !script.noModule && /^$|^module$|(java|ecma)script/.test(script.type)) {
      loadingSize++
      for (const name of ['load', 'error']) {
        script.addEventListener(name, () => {
          loadingSize--
          scan()
        })
      }
    }
    // It keeps its nonce, its attributes and the browser's word that its text is the page's own, so Trusted Types have
    // nothing to object to. It was never started, so now it starts.
    reinsert(script)
    script.type = 'text/plain'
  }

  function unfold(template: HTMLTemplateElement, category: string): void {
    const { content } = template
    for (const script of content.querySelectorAll<HTMLScriptElement>('script:not([type="text/plain"][data-avow])')) {
      // Held again, so that they pass the nonce check and keep their order.
      script.dataset.avowType = script.type
      script.dataset.avow = category
      script.type = 'text/plain'
    }
    const end = new Comment()
    content.append(end)
    watches.push(() => {
      if (isGranted(category) || !end.parentNode) return
      // With what templates inside have shown, whatever their category.
      const range = document.createRange()
      range.setStartAfter(template)
      range.setEndBefore(end)
      content.append(range.extractContents())
      end.remove()
      seen.delete(template)
    })
    // Moved, not copied, for the reason given above.
    template.after(content)
    scan()
  }

  /** A frame or an image follows its category. */
  function show(element: HTMLIFrameElement): void {
    const { avow, avowSrc } = element.dataset
    const isShown = seen.has(element) || element.getAttribute('src') === avowSrc
    if (isGranted(avow!) === isShown) return
    if (isShown) {
      seen.delete(element)
      element.removeAttribute('src')
      reinsert(element)
    } else if (/^https?:/.test(new URL(avowSrc!, document.baseURI).protocol)) {
      seen.add(element)
      element.src = avowSrc!
    } else {
      delete element.dataset.avowSrc
      throw `only http(s): ${avowSrc}`
    }
  }

  function scan(): void {
    if (document.readyState === 'loading') return
    for (const element of document.querySelectorAll<HTMLIFrameElement>(heldFrames)) attempt(() => show(element))
    for (const element of document.querySelectorAll<HTMLScriptElement | HTMLTemplateElement>(
      'script[type="text/plain"][data-avow],template[data-avow]',
    )) {
      const category = element.dataset.avow!
      // A template before it may have let it go already.
      if (seen.has(element) || !isGranted(category)) continue
      // What is inline runs at once, so it waits for the files before it, and so does all that follows.
      if (loadingSize && !(element as HTMLScriptElement).src) return
      seen.add(element)
      attempt(() => ('content' in element ? unfold(element, category) : release(element, category)))
    }
  }

  return {
    scan,
    update() {
      for (const follow of watches) attempt(follow)
      scan()
    },
    mustReload: () => [...ran.values()].some((category) => !isGranted(category)),
    whenGranted(category, start) {
      let stop: unknown
      const follow = () => {
        if (!isGranted(category)) {
          if (typeof stop === 'function') attempt(stop as () => void)
          stop = null
        } else if (!stop) {
          // A choice may be made while it starts.
          stop = true
          const made = attempt(start)
          // What can't be stopped is taken back as a script is: by a reload.
          stop = typeof made === 'function' ? made : ran.set(start, category)
          if (!isGranted(category)) follow()
        }
      }
      watches.push(follow)
      follow()
    },
  }
}
