/** The gate in a document without a browser's script engine: what is released, in which order. */
import { beforeEach, expect, test, vi } from 'vitest'
import { createGate } from './gate.js'

let granted: string[] = []
const isGranted = (category: string) => granted.includes(category)

const started = new Set<unknown>()

beforeEach(() => {
  vi.restoreAllMocks()
  started.clear()
  const { replaceWith } = Comment.prototype
  vi.spyOn(Comment.prototype, 'replaceWith').mockImplementation(function (this: Comment, ...nodes) {
    for (const node of nodes) started.add(node)
    replaceWith.apply(this, nodes)
  })
  granted = []
  document.body.innerHTML = ''
})

/** Whether each script of the page was put in anew, which starts it. */
const held = () => Array.from(document.querySelectorAll('script'), (script) => !started.has(script))

test('nothing is released without a grant', () => {
  document.body.innerHTML = '<script type="text/plain" data-avow="analytics">1</script>'
  createGate(document, '', isGranted).scan()
  expect(held()).toEqual([true])
})

test('a grant releases its own category only', () => {
  document.body.innerHTML =
    '<script type="text/plain" data-avow="analytics">1</script><script type="text/plain" data-avow="other">2</script>'
  granted = ['analytics']
  createGate(document, '', isGranted).scan()
  expect(held()).toEqual([false, true])
})

test('what is inline waits for the files before it', () => {
  document.body.innerHTML =
    '<script type="text/plain" data-avow="analytics" src="/a.js"></script><script type="text/plain" data-avow="analytics">1</script>'
  granted = ['analytics']
  createGate(document, '', isGranted).scan()
  expect(held()).toEqual([false, true])
  document.querySelector('script')?.dispatchEvent(new Event('load'))
  expect(held()).toEqual([false, false])
})

test('the same script brought again by a router does not run again', () => {
  const markup = '<script type="text/plain" data-avow="analytics">1</script>'
  document.body.innerHTML = markup
  granted = ['analytics']
  const gate = createGate(document, '', isGranted)
  gate.scan()
  document.body.innerHTML = markup
  gate.scan()
  expect(held()).toEqual([true])
})

test('a template shows its markup, its scripts after what stood before', () => {
  document.body.innerHTML = '<template data-avow="analytics"><p>map</p><script>1</script></template>'
  granted = ['analytics']
  createGate(document, '', isGranted).scan()
  expect(document.querySelector('p')?.textContent).toBe('map')
  expect(held()).toEqual([false])
})

test('where the page has a nonce, a held script without it stays held', () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  document.body.innerHTML =
    '<script type="text/plain" data-avow="analytics" nonce="abc">1</script><script type="text/plain" data-avow="analytics">2</script>'
  for (const script of document.querySelectorAll('script')) script.nonce = script.getAttribute('nonce') ?? ''
  granted = ['analytics']
  createGate(document, 'abc', isGranted).scan()
  expect(held()).toEqual([false, true])
})

test('what was started with a grant is stopped with its end, and needs no reload', () => {
  const gate = createGate(document, '', isGranted)
  const calls: string[] = []
  gate.whenGranted('analytics', () => {
    calls.push('start')
    return () => calls.push('stop')
  })
  granted = ['analytics']
  gate.update()
  gate.update()
  granted = []
  gate.update()
  expect(gate.mustReload()).toBe(false)
  granted = ['analytics']
  gate.update()
  expect(calls).toEqual(['start', 'stop', 'start'])
})

test('what can’t be stopped needs a reload, and only then', () => {
  document.body.innerHTML = '<script type="text/plain" data-avow="analytics">1</script>'
  const gate = createGate(document, '', isGranted)
  gate.update()
  expect(gate.mustReload()).toBe(false)
  granted = ['analytics']
  gate.update()
  expect(gate.mustReload()).toBe(false)
  granted = []
  gate.update()
  expect(gate.mustReload()).toBe(true)
})

test('a site’s function that throws keeps nobody else from starting', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  granted = ['analytics']
  const gate = createGate(document, '', isGranted)
  gate.whenGranted('analytics', () => {
    throw new Error('theirs')
  })
  const start = vi.fn(() => () => {})
  gate.whenGranted('analytics', start)
  expect([start.mock.calls.length, told.mock.calls.length]).toEqual([1, 1])
})

test('what a template showed goes back with the end of the grant, and comes again with the next', () => {
  document.body.innerHTML = '<template data-avow="analytics"><p>map</p></template>'
  const gate = createGate(document, '', isGranted)
  for (const [now, shown] of [
    [['analytics'], 'map'],
    [[], undefined],
    [['analytics'], 'map'],
  ] as const) {
    granted = [...now]
    gate.update()
    expect([document.querySelector('p')?.textContent, gate.mustReload()]).toEqual([shown, false])
  }
})

test('a frame is loaded with a grant, from http(s) alone, and unloaded with its end', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  document.body.innerHTML =
    '<img data-avow="analytics" data-avow-src="https://maps.example/a"><img data-avow="analytics" data-avow-src="javascript:alert(1)"><img data-avow="analytics" data-avow-src="data:text/html,x">'
  const gate = createGate(document, '', isGranted)
  const sources = () => Array.from(document.querySelectorAll('img'), (image) => image.getAttribute('src'))
  gate.scan()
  expect(sources()).toEqual([null, null, null])
  granted = ['analytics']
  gate.update()
  gate.update()
  expect(sources()).toEqual(['https://maps.example/a', null, null])
  expect(told).toHaveBeenCalledTimes(2)
  granted = []
  gate.update()
  expect(sources()).toEqual([null, null, null])
})
