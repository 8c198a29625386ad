/**
 * How everything of ours looks. Adopted by shadow roots, so a page's style policy has nothing to object to. The colours
 * are the page's pair of paper and ink, which its `color-scheme` turns over in the dark and forced colours replace; a
 * page changes them, and the rest, by the custom properties that begin with `--avow-`. Nothing moves, so nobody has to ask for
 * less motion. In forced colours a browser paints paper behind each text, so there no text may be of paper's colour.
 * What has a width of its own, as banner and dialog have, is a container; the settings are as wide as their place in the page lets them be.
 */

/** Text and controls, for the banner, the dialog, the settings panel and what covers something held. */
const base = `
:host {
  all: initial !important;
  color-scheme: var(--avow-color-scheme, inherit) !important;
  font: max(1rem, 16px)/1.5 var(--avow-font, var(--font)) !important;
  overflow-wrap: break-word !important;
  --ink: var(--avow-ink, CanvasText);
  --paper: var(--avow-paper, Canvas);
  --edge: 1px solid #8888;
}
* { box-sizing: border-box; }
h2, h3, p, dl, dd { margin: 0; }
h2 { font-size: 1.2em; }
h3 { font-size: 1em; }
a { color: inherit; }
button {
  font: inherit;
  font-weight: 600;
  line-height: 1.25;
  min-height: 44px;
  padding: 8px 16px;
  border: 1px solid var(--avow-button, var(--ink));
  border-radius: var(--avow-button-radius, 10px);
  background: var(--avow-button, var(--ink));
  color: var(--avow-button-ink, var(--paper));
}
button, label, summary { cursor: pointer; }
.plain { background: var(--paper); color: var(--ink); border: var(--edge); }
:focus-visible { outline: 3px solid var(--avow-focus, #3b82f6); outline-offset: 2px; }
.card { background: var(--paper); color: var(--ink); border: var(--edge); border-radius: var(--avow-radius, 16px); padding: clamp(12px, 5vw, 20px); }
section, dialog, .choices, .category { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; }
.row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px; }
h2, h3 { flex: 1; max-width: 100%; }
.row > button { margin-inline-start: auto; }
.actions { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(min(7em, 100%), 40%), 1fr)); gap: 10px; overflow-wrap: anywhere; }
.actions > * { padding: 8px; }
.actions > .plain { grid-column: 1 / -1; }
.category { border: var(--edge); border-radius: 12px; padding: 16px; }
dl { border-top: var(--edge); padding: 8px 0; margin-top: 8px; }
dl div { display: flex; flex-wrap: wrap; column-gap: 12px; }
dt { flex: 1 1 8em; font-weight: 600; }
dd { flex: 2 1 14em; min-width: 0; }
input {
  appearance: none;
  flex: none;
  width: 48px;
  height: 28px;
  margin: 0;
  padding: 3px;
  border: 2px solid;
  border-radius: 14px;
}
input::before { content: ''; display: block; width: 18px; height: 18px; border-radius: 14px; background: var(--ink); }
input:checked { background: var(--ink); }
input:checked::before { background: var(--paper); margin-inline-start: 20px; }
@container (min-width: 30em) {
  .actions { grid-template-columns: 1fr 1fr 1fr; }
  .actions > .plain { grid-column: auto; }
}
@media (forced-colors: active) {
  button { background: var(--paper); color: var(--ink); }
  input { appearance: auto; }
  input::before { content: none; }
}
`

export const noticeStyles = `
.card { box-shadow: 0 8px 40px #0004; }
section, .corner {
  position: fixed;
  z-index: var(--avow-z-index, 2147483647);
  inset: auto 12px 12px;
  margin: env(safe-area-inset-top) env(safe-area-inset-right) env(safe-area-inset-bottom) env(safe-area-inset-left);
}
section { max-width: 576px; max-height: 80vh; overflow: auto; }
section, dialog { container-type: inline-size; }
.corner { inset-inline-end: auto; }
.corner ~ .corner { bottom: 5em; }
.box-center { margin-inline: auto; }
.box-end { margin-inline-start: auto; }
.bar, .bar-top { max-width: none; }
.bar-top:not(.top), .top:not(.bar-top) { inset-block: 12px auto; }
@media (min-width: 900px) {
  .bar, .bar-top { grid-template-columns: 1fr auto; column-gap: 32px; }
  .bar > .actions, .bar-top > .actions { grid-area: 1 / 2 / span 2; align-self: center; }
}
dialog { width: 640px; max-width: calc(100% - 24px); max-height: calc(100% - 24px); scroll-padding-bottom: 9em; }
dialog:not([open]) { display: none; }
@media (min-width: 600px) { dialog .actions { position: sticky; bottom: -20px; background: var(--paper); margin: 0 -20px -20px; padding: 16px 20px; border-top: var(--edge); } }
::backdrop { background: #0008; }
.quiet { clip-path: inset(50%); }
@media print { :host { display: none !important; } }
`

export const placeStyles = `
:host { display: inline-block !important; max-width: 100% !important; overflow: hidden !important; }
section { max-width: 100%; place-content: center; justify-items: center; text-align: center; overflow: auto; }
`

/** In the page's font: that of its body, for what stands beside the body inherits nothing of it. */
export function dress(host: HTMLElement, css: string): ShadowRoot {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(base + css)
  root.adoptedStyleSheets = [sheet]
  host.style.setProperty('--font', getComputedStyle(document.body).fontFamily)
  return root
}
