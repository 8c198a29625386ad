/** What a host's page is made of: the loader's tag in all its ways, held markup, buttons, and scripts that leave a mark. */
import { escapeText, type Part } from './page.js'

type Attributes = Readonly<Record<string, string | true | undefined>>

export const attributes = (all: Attributes): string =>
  Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${escapeText(String(value))}"`))
    .join('')

/** The one tag. `how`: other attributes, `undefined` for none of that name. */
export const loader =
  (how: Attributes = {}): Part =>
  ({ nonce, loader }) =>
    `<script${attributes({ async: true, nonce, src: loader, ...how })}></script>`

/** The queue that a page may define before the tag arrives, and calls made early. */
export const stub = (calls = ''): Part =>
  script(`window.avow = window.avow || function () { (avow.q = avow.q || []).push(arguments) }; ${calls}`)

/** An inline script of the page's own. */
export const script =
  (text: string, how: Attributes = {}): Part =>
  ({ nonce }) =>
    `<script${attributes({ nonce, ...how })}>${text}</script>`

/** What a script does that only says that it ran: read it with `marks(page)`. */
export const mark = (name: string) => `ran.push('${name}');`

/** A held script; `src` among the attributes makes it an external one. */
export const held =
  (category: string, text: string, how: Attributes = {}): Part =>
  ({ nonce }) =>
    `<script${attributes({ type: 'text/plain', 'data-avow': category, nonce, ...how })}>${text}</script>`

/** A held script in a file of its own, that only says that it ran. */
export const heldFile = (category: string, name: string, how: Attributes = {}): Part =>
  held(category, '', { src: `/mark.js?${name}`, ...how })

/** The tracker, held. */
export const tracker = (how: Attributes = {}): Part => held('analytics', '', { src: '/tracker.js', ...how })

export const template =
  (category: string, ...inner: readonly Part[]): Part =>
  (at) =>
    `<template data-avow="${category}">${inner.map((part) => part(at)).join('')}</template>`

export const html =
  (text: string): Part =>
  () =>
    text

export const frame =
  (category: string, how: Attributes = {}): Part =>
  () =>
    `<iframe${attributes({ 'data-avow': category, 'data-avow-src': '/frame', width: '320', height: '200', ...how })}></iframe>`

export const image =
  (category: string, how: Attributes = {}): Part =>
  () =>
    `<img${attributes({ 'data-avow': category, 'data-avow-src': '/pixel.svg', width: '120', height: '80', alt: '', ...how })}>`

/** Buttons of the host's own. */
export const buttons: Part = () =>
  '<button type="button" data-avow-open>Privacy</button> <button type="button" data-avow-withdraw>Withdraw</button>'

/** Keeps what listeners hear: read it with `heard(page)`. */
export const listening: Part = stub(
  ['change', 'ask', 'lapse']
    .map((name) => `avow('on', '${name}', (told) => heard.push({ name: '${name}', ...told }));`)
    .join(' '),
)

/** Starts and stops a category in code, each leaving a mark. */
export const startAndStop = (category: string): Part =>
  stub(`avow('whenGranted', '${category}', () => { ${mark('start')} return () => { ${mark('stop')} } });`)

/** Something the host does itself, after the loader: it must go on working whatever becomes of us. See `expectUnharmed`. */
export const hostApp: Part = (at) =>
  `<button type="button" id="host">Order</button>${script(
    "document.getElementById('host').addEventListener('click', () => { window.orders = (window.orders ?? 0) + 1 })",
  )(at)}`

/** What most stories need: the tag, a tracker, and a way to withdraw. */
export const ordinary: readonly Part[] = [loader(), tracker(), buttons, hostApp]
