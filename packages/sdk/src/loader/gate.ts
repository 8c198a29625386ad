/**
 * Holds back what needs consent and lets it go: `<script type="text/plain" data-avow="analytics">`,
 * `<template data-avow="analytics">`, frames and images with `data-avow-src`, and functions given to `whenGranted`. Knows
 * nothing of why a category is granted.
 */
import { attempt } from './attempt.js'

/** What a site starts with a grant; it may return how to stop again. */
export type Start = () => unknown

export interface Gate {
  /** Lets go what has been granted, once the document is parsed: before, a tag may not be whole. */
  scan(): void
  /** Follows a change. */
  update(): void
  /** Whether something has run that only a reload can take back. */
  mustReload(): boolean
  whenGranted(category: string, start: Start): void
}

export function createGate(document: Document, nonce: string, isGranted: (category: string) => boolean): Gate {
  const watches: (() => void)[] = []
  /**
   * What ran and can't be stopped, with its category. Scripts by address or text: a router that swaps the body brings
   * them again, and they must not run again.
   */
  const ran = new Map<unknown, string>()
  let loadingSize = 0

  /** Takes the very element out and puts it in again, where it starts anew (HTML, "prepare the script"; frames likewise). */
  function reinsert(element: Element): void {
    const place = new Comment()
    element.replaceWith(place)
    place.replaceWith(element)
  }

  function release(script: HTMLScriptElement, category: string): void {
    const key = script.src || script.text
    // Ours may be trusted by 'strict-dynamic' to insert anything; so it inserts nothing the page's author didn't sign.
    if (nonce && script.nonce !== nonce) throw `no nonce: ${key}`
    if (ran.has(key)) return
    ran.set(key, category)
    script.type = script.dataset.avowType ?? ''
    // Inserted scripts run as they arrive unless told otherwise.
    script.async = script.hasAttribute('async')
    if (script.src && !script.async) {
      loadingSize++
      script.onload = script.onerror = () => {
        loadingSize--
        scan()
      }
    }
    // It keeps its nonce, its attributes and the browser's word that its text is the page's own, so Trusted Types have
    // nothing to object to. It was never started, so now it starts.
    reinsert(script)
  }

  function unfold(template: HTMLTemplateElement, category: string): void {
    const { content } = template
    for (const script of content.querySelectorAll('script')) {
      // Held again, so that they pass the nonce check and keep their order.
      script.dataset.avowType = script.type
      script.dataset.avow = category
      script.type = 'text/plain'
    }
    const nodes = [...content.childNodes]
    watches.push(() => {
      if (isGranted(category) || template.dataset.avow) return
      content.append(...nodes)
      template.dataset.avow = category
    })
    // Moved, not copied, for the reason given above.
    template.after(content)
    scan()
  }

  /** A frame or an image follows its category. */
  function show(element: HTMLIFrameElement): void {
    const { avow, avowSrc } = element.dataset
    if (!isGranted(avow!)) {
      if (!element.src) return
      element.removeAttribute('src')
      reinsert(element)
    } else if (!element.src) {
      if (/^https?:/.test(new URL(avowSrc!, document.baseURI).protocol)) element.src = avowSrc!
      else {
        delete element.dataset.avowSrc
        throw `only http(s): ${avowSrc}`
      }
    }
  }

  function scan(): void {
    if (document.readyState === 'loading') return
    for (const element of document.querySelectorAll<HTMLIFrameElement>('[data-avow-src]')) attempt(() => show(element))
    for (const element of document.querySelectorAll<HTMLScriptElement | HTMLTemplateElement>(
      'script[data-avow],template[data-avow]',
    )) {
      const category = element.dataset.avow
      // A template before it may have let it go already.
      if (!category || !isGranted(category)) continue
      // What is inline runs at once, so it waits for the files before it, and so does all that follows.
      if (loadingSize && !(element as HTMLScriptElement).src) return
      delete element.dataset.avow
      attempt(() => ('content' in element ? unfold(element, category) : release(element, category)))
    }
  }

  return {
    scan,
    update() {
      for (const follow of watches) follow()
      scan()
    },
    mustReload: () => [...ran.values()].some((category) => !isGranted(category)),
    whenGranted(category, start) {
      let stop: unknown
      const follow = () => {
        // What can't be stopped is taken back as a script is: by a reload.
        if (isGranted(category)) stop ??= attempt(start) ?? ran.set(start, category)
        else {
          if (typeof stop === 'function') attempt(stop as () => void)
          stop = null
        }
      }
      watches.push(follow)
      follow()
    },
  }
}
