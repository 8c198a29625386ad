/** The gate in a document without a browser's script engine: what is released, in which order. */
import { beforeEach, expect, test, vi } from 'vitest'
import { createGate } from './gate.js'

let granted: string[] = []
const isGranted = (category: string) => granted.includes(category)

beforeEach(() => {
  vi.restoreAllMocks()
  granted = []
  document.body.innerHTML = ''
})

const held = () => Array.from(document.querySelectorAll('script'), (script) => script.type === 'text/plain')

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
  document.querySelector('script')?.onload?.(new Event('load'))
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
  expect(gate.update()).toBe(false)
  gate.update()
  granted = []
  expect(gate.update()).toBe(false)
  granted = ['analytics']
  gate.update()
  expect(calls).toEqual(['start', 'stop', 'start'])
})

test('what can’t be stopped needs a reload, and only then', () => {
  document.body.innerHTML = '<script type="text/plain" data-avow="analytics">1</script>'
  const gate = createGate(document, '', isGranted)
  expect(gate.update()).toBe(false)
  granted = ['analytics']
  expect(gate.update()).toBe(false)
  granted = []
  expect(gate.update()).toBe(true)
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
