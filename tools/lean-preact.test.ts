/** What is taken out of Preact is what we don't use: of all that we do, the page comes out the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import fc from 'fast-check'
import { Window } from 'happy-dom'
import * as whole from 'preact'
import { type Plugin, rollup } from 'rollup'
import { afterAll, expect, test } from 'vitest'
import { leanPreact } from './lean-preact.mjs'

type Preact = Pick<typeof whole, 'h' | 'render'>

const folder = mkdtempSync(join(tmpdir(), 'avow-lean-'))
afterAll(() => rmSync(folder, { recursive: true }))

const newRoot = () => new Window().document.createElement('div') as unknown as HTMLElement

/** As it is bundled for a browser. */
async function bundle(): Promise<Preact> {
  const made = await rollup({ input: 'preact', logLevel: 'silent', plugins: [leanPreact() as Plugin, nodeResolve()] })
  const file = join(folder, 'preact.mjs')
  await made.write({ file, format: 'es' })
  return import(/* @vite-ignore */ pathToFileURL(file).href)
}

/** What our components are made of: elements, text, lists, functions, what is there or not. */
type Tree =
  | string
  | false
  | readonly Tree[]
  | {
      readonly of: 'p' | 'div' | 'button' | 'function'
      readonly key?: number
      readonly name?: string
      readonly inside: Tree
    }

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Tree>('', 'a', 'b', false),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.record(
      {
        of: fc.constantFrom('p', 'div', 'button', 'function'),
        key: fc.nat(3),
        name: fc.constantFrom('x', 'y'),
        inside: tie('tree'),
      },
      { requiredKeys: ['of', 'inside'] },
    ),
  ),
}))

const Inner = ({ children }: { children?: whole.ComponentChildren }) => children

/** The page after each of these trees has been rendered in the place of the one before, and all that was clicked and referred to. */
function pagesOf({ h, render }: Preact, trees: readonly Tree[]): string[] {
  const root = newRoot()
  const clicks: string[] = []
  const toNode = (one: Tree): whole.ComponentChildren => {
    if (!one || typeof one === 'string') return one
    if (!('of' in one)) return one.map(toNode)
    const { of, key, name, inside } = one
    const props = {
      ...(key !== undefined && { key }),
      ...(name && {
        ...{
          class: name,
          part: name,
          lang: name,
          title: name,
          'aria-label': name,
          style: `width:${name.charCodeAt(0)}px`,
        },
        hidden: name === 'x',
        onClick: () => clicks.push(name),
        // A new function each time, as the dialog's is.
        ref: (element: Element | null) => void clicks.push(`${name} is ${element ? element.localName : 'gone'}`),
      }),
    }
    return of === 'function' ? h(Inner, { key }, toNode(inside)) : h(of, props, toNode(inside))
  }
  return trees.map((one) => {
    render(h('section', null, toNode(one)), root)
    for (const button of root.querySelectorAll('button')) button.click()
    return `${root.innerHTML} ${clicks}`
  })
}

test('Preact as we bundle it renders, changes and listens as the whole of it does', async () => {
  const lean = await bundle()
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), (trees) => {
      expect(pagesOf(lean, trees)).toEqual(pagesOf(whole, trees))
    }),
    { numRuns: 200 },
  )
})

test('what a component throws comes to who renders, and the next time it is rendered whole', async () => {
  const lean = await bundle()
  const attempts = ({ h, render }: Preact) => {
    const root = newRoot()
    let fails = true
    const Fickle = () => {
      if (fails) throw new Error('not now')
      return h('b', null, 'now')
    }
    const draw = () => render(h('p', null, 'it: ', h(Fickle, null)), root)
    expect(draw).toThrow('not now')
    fails = false
    draw()
    return root.innerHTML
  }
  expect(attempts(lean)).toBe(attempts(whole))
})

test('a Preact that is written otherwise fails the build', async () => {
  const plugin = leanPreact()
  const said: string[] = []
  plugin.buildEnd.call({ error: (text: string) => said.push(text) })
  expect(said[0]).toContain('nothing in Preact says otherwise')
})
