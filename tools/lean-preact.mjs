/**
 * Preact for the files of a browser, without what our interface never uses: classes, state, contexts, portals, error boundaries,
 * hydration, hooks for other libraries, SVG and MathML, text taken for HTML. A minifier can't know that of a library. So it is told: in
 * Preact's own sources, while they are bundled, what never is anything else for us stands as a constant, and the minifier
 * takes out what can't be reached then. Why: docs/decisions/0037.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const sources = fileURLToPath(new URL('../node_modules/preact/src', import.meta.url))

/** Handed from function to function, a line each. */
const handedOn = 'isHydrating|excessDomChildren|globalContext|namespace|commitQueue'
/** Asked of what a component is or has, and of the props of a portal. */
const neverThere =
  'contextType|getDerivedState\\w+|component[WD]\\w+|shouldComponentUpdate|get(?:Snapshot|Child)\\w+|_excess|props\\._parentDom'

/** What is so, in words; what says otherwise; and what stands there instead. In this order. */
const assumptions = [
  ['comments say nothing to a browser', /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''],
  ['all is HTML', /createElementNS\(\s*namespace,\s*nodeType,[^)]*\)/g, 'createElement(nodeType)'],
  ['there is one name space', /(?<=\t)parentDom\.namespaceURI,|, namespace(?=\))/g, ''],
  ['what is rendered into is empty at first', /oldVNode\s*\? NULL\s*: parentDom\.firstChild\s*\?[^:]*: NULL,/g, ''],
  ['there are no contexts', /EMPTY_OBJ,(?=\s*commitQueue,)/g, ''],
  ['none is provided', /(?<=const (?:provider|componentContext) =)[^;]*/g, ' undefined'],
  ['nothing is hydrated', /\(isHydrating = oldVNode\._flags & MODE_HYDRATE\)/g, '0'],
  ['nothing was suspended', /resumed = excessDomChildren = \[\];/g, ';'],
  ['nothing waits', /commitQueue = \[\],\s*/g, ''],
  ['nor is anything done later', /commitQueue\.(?:push\(c\)|some\(c => \{[\s\S]*?\n\t\}\));/g, ';'],
  ['no two calls differ in what is handed on', new RegExp(`^\\t+(?:${handedOn}),\\n`, 'gm'), ''],
  ['nobody changes it', new RegExp(`(?:let )?\\b(?:${handedOn})(?:\\.length)? =(?!=)[^;]*;`, 'g'), ';'],
  ['nothing is in it', /\b(?:commitQueue|excessDomChildren)\.length/g, '0'],
  ['it is nothing', new RegExp(`\\b(?:${handedOn})\\b`, 'g'), 'NULL'],
  ['no node is in such a state', /\w+\._flags & (?:MODE_\w+|REF_DETACHED)/g, '0'],
  ['components are functions', /(?<=isClassComponent =)[^;]*/g, ' false'],
  ['they have no state', /BaseComponent\.prototype\.(setState|forceUpdate) =/g, 'const $1 ='],
  ['so it never is another', /\bc\._nextState\b(?!\s*=[^=])/g, 'undefined'],
  ['they are drawn once each time', /\w+(?:\._component)?\._bits & \(?COMPONENT_\w+/g, '0'],
  [
    'and nothing has to remember',
    /(?<=[\t )])(?:\w+\.)+_bits [|&]?= [^;,]*;|EMPTY_ARR\.push\.apply[^;]*;|c\._\w+Callbacks = \[\];/g,
    ';',
  ],
  ['and calls nobody back', /\bc\._renderCallbacks\.length/g, '0'],
  [
    'nobody looks at one',
    /\bc\.(?:props|state|context|constructor|render|_vnode|_parentDom|_globalContext) = [^;]*;/g,
    ';',
  ],
  ['to draw it is to call it', /\bc\.render\([^;]*;/g, 'newType(newProps);'],
  [
    'they have nothing but what they return',
    new RegExp(`\\b\\w+\\.(?:${neverThere})\\b(?!\\s*=[^=])`, 'g'),
    'undefined',
  ],
  ['props are no portal’s', /newProps\._parentDom/g, 'undefined'],
  ['no other library looks on', /options\.(?!_catchError)\w+/g, 'undefined'],
  ['what is never there is nowhere kept', /\(\w+ = undefined\)/g, 'undefined'],
  ['nobody handles what is thrown', /for \(; \(vnode = vnode\._parent\); \) \{[\s\S]*?\n\t\}\n/g, ''],
  ['nobody waits for it', /e && e\.then/g, 'false'],
  ['text is no HTML', /i == 'dangerouslySetInnerHTML'/g, 'false'],
  ['a style is text', /typeof value == 'string'/g, 'true'],
  ['nobody listens before an element', /useCapture = name[^;]*;/g, ';'],
  ['what is a property can be set as one', /(?:name != '\w+' &&\s*)+|name == 'popover' && value == true \? '' :/g, ''],
  ['no input is set but at first', /\bi == '(?:value|checked)'/g, 'false'],
  ['no element has contents of its own', /(?:\b\w+\.)?nodeType == (?:8|'\w+')/g, 'false'],
]

/** Where one of them is found nowhere, Preact is written otherwise than it was, and somebody has to look. */
export function leanPreact() {
  const found = new Set()
  return {
    name: 'lean-preact',
    resolveId: (id) => (id === 'preact' ? join(sources, 'index.js') : null),
    load(id) {
      if (!id.startsWith(sources)) return null
      let code = readFileSync(id, 'utf8')
      for (const [what, pattern, constant] of assumptions) {
        const changed = code.replace(pattern, constant)
        if (changed !== code) found.add(what)
        code = changed
      }
      return { code, map: null }
    },
    buildEnd(failure) {
      if (failure) return
      for (const [what] of assumptions)
        if (!found.has(what)) this.error(`lean-preact: nothing in Preact says otherwise than "${what}"`)
    },
  }
}
