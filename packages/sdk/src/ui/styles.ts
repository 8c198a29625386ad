/**
 * How everything of ours looks. Adopted by shadow roots, so a page's style policy has nothing to object to. The colours
 * are the browser's own pair of paper and ink, which `color-scheme` turns over in the dark and forced colours replace.
 * Nothing moves, so nobody has to ask for less motion.
 */

/** Text and controls, for the banner, the dialog and the settings panel. */
const base = `
:host {
  all: initial !important;
  color-scheme: light dark !important;
  font: 16px/1.5 system-ui, sans-serif !important;
  color: CanvasText !important;
}
* { box-sizing: border-box; }
h2, h3, p { margin: 0; }
h2 { font-size: 1.2em; }
h3 { font-size: 1em; }
a { color: inherit; }
button {
  font: inherit;
  font-weight: 600;
  line-height: 1.25;
  min-height: 44px;
  padding: 8px 16px;
  border: 1px solid CanvasText;
  border-radius: 10px;
  background: CanvasText;
  color: Canvas;
}
button, label, summary { cursor: pointer; }
.plain { background: none; color: inherit; border-color: #8888; }
:focus-visible { outline: 3px solid #3b82f6; outline-offset: 2px; }
.card { background: Canvas; color: CanvasText; border: 1px solid #8886; border-radius: 16px; padding: 20px; }
.row { display: flex; align-items: center; justify-content: space-between; gap: 16px; }
`

const notice = `
.card { box-shadow: 0 8px 40px #0004; }
section, .saved { position: fixed; z-index: 2147483647; inset: auto 16px 16px; }
section { max-width: 576px; max-height: calc(100% - 32px); overflow: auto; }
section, dialog { display: grid; gap: 10px; }
dialog:not([open]) { display: none; }
.actions { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
.actions .plain { grid-column: 1 / -1; }
@media (min-width: 600px) {
  .actions { grid-template-columns: 1fr 1fr 1fr; }
  .actions .plain { grid-column: auto; }
}
dialog { width: 640px; max-width: calc(100% - 32px); max-height: calc(100% - 32px); }
dialog > .actions { position: sticky; bottom: -20px; background: Canvas; margin: 0 -20px -20px; padding: 16px 20px; border-top: 1px solid #8886; }
::backdrop { background: #0008; }
.category { background: #8881; border-radius: 12px; padding: 16px; }
details { font-size: .875em; overflow-wrap: anywhere; }
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
input::before { content: ''; display: block; width: 18px; height: 18px; border-radius: 14px; background: CanvasText; }
input:checked { background: CanvasText; }
input:checked::before { background: Canvas; translate: 20px; }
.saved { right: auto; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (forced-colors: active) { button { forced-color-adjust: none; } input { appearance: auto; } input::before { content: none; } }
`

const panel = `
:host { display: block !important; }
section { display: grid; gap: 12px; }
.soft { opacity: .75; }
code { overflow-wrap: anywhere; }
.row + .row { border-top: 1px solid #8884; padding-top: 12px; }
.actions { justify-content: start; flex-wrap: wrap; }
`

const place = `
:host { display: inline-block !important; max-width: 100% !important; overflow: hidden !important; }
section { max-width: 100%; display: grid; place-content: center; justify-items: center; gap: 12px; text-align: center; overflow: auto; }
`

function sheet(css: string): CSSStyleSheet {
  const made = new CSSStyleSheet()
  made.replaceSync(css)
  return made
}

export const noticeStyles = () => sheet(base + notice)
export const panelStyles = () => sheet(base + panel)
export const placeStyles = () => sheet(base + place)
