/** What the settings panel has beyond what all of ours have. */
export const panelStyles = `
:host { display: block !important; }
section > .row { flex-wrap: wrap; }
code { flex: 1 1 200px; overflow-wrap: anywhere; }
ol { margin: 0; padding: 0; list-style: none; }
li { border-top: var(--edge); padding: 8px 0; }
`
