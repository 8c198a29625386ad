/** How an evidence page looks: on a screen, light or dark, and on paper. */
export const STYLE = `
:root { color-scheme: light dark; --line: #888; --note: #fff4d6; --good: #e2f4e4; --bad: #fde3e1; }
@media screen and (prefers-color-scheme: dark) { :root { --note: #3a2f10; --good: #12331a; --bad: #451613; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
code { overflow-wrap: anywhere; font-size: .9em; }
dl > div { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0 1rem; }
dl dl > div { grid-template-columns: minmax(6rem, 10rem) 1fr; }
dl, ul, dd { margin: 0; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { overflow-wrap: anywhere; min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; }
caption { text-align: start; font-weight: 600; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: start; vertical-align: top; font-size: .9rem; }
blockquote { margin: 1rem 0; padding-inline-start: 1rem; border-inline-start: 4px solid var(--line); white-space: pre-line; }
.warning, #result { padding: .75rem 1rem; border: 1px solid var(--line); background: var(--note); }
#result.good { background: var(--good); }
#result.bad { background: var(--bad); }
#result p { margin: .25rem 0; }
label { display: block; font-weight: 600; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; }
@media (max-width: 40rem) { dl > div, dl dl > div { display: block; } }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  label, input { display: none; }
  .scroll { overflow: visible; }
  th, td { font-size: 8pt; overflow-wrap: anywhere; }
  tr, blockquote, dl > div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`
