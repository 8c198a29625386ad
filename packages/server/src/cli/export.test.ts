/** `avow export` against a server that breaks off, refuses, and forgets: a file is there only once it is whole. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { testFolder } from '../test-folder.js'
import { SITE, testWorld } from '../testing.js'
import { exportRecords } from './export.js'
import type { Web } from './log-source.js'

const URL_ = 'https://privacy.example/avow'

let out: string
beforeEach(() => {
  out = path.join(testFolder(), 'records')
})

/** What happens in the place of every request but the first. */
function afterFirst<T>(happens: () => T): () => T | null {
  let times = 0
  return () => (times++ > 0 ? happens() : null)
}

/** A server with so many records, half of them refusals, and the way to it. */
async function exportWorld(count: number) {
  const world = await testWorld({ page: { page: true } })
  const ids: { id: string; index: number }[] = []
  for (let i = 0; i < count; i++) {
    world.clock.now += 1000
    ids.push(await world.consent(i % 2 ? { action: 'reject-all', choices: { analytics: false } } : {}))
  }
  const asked: string[] = []
  const waited: number[] = []
  const printed: string[] = []
  const way = {
    /** Answers in the server's place while it answers anything. */
    instead: (_: URL): Response | Error | null => null,
    /** After how many bytes an answer of the export breaks off; null for not at all. */
    breakAfter: null as number | null,
  }
  const web: Web = {
    apiKey: world.key,
    timeout: () => new AbortController().signal,
    wait: async (ms) => void waited.push(ms),
    async fetch(url, init) {
      const at = new URL(url)
      asked.push(at.pathname.slice('/avow/v1/audit/'.length) + (at.searchParams.has('after') ? ' after' : ''))
      const instead = way.instead(at)
      if (instead instanceof Error) throw instead
      if (instead) return instead
      const response = await world.avow.app.request(url.slice(URL_.length), init)
      const { breakAfter } = way
      if (breakAfter === null || !response.ok || at.pathname.endsWith('manifest')) return response
      const whole = new Uint8Array(await response.arrayBuffer())
      const broken = new ReadableStream({
        start: (controller) => controller.enqueue(whole.slice(0, breakAfter)),
        pull: (controller) =>
          whole.length <= breakAfter ? controller.close() : controller.error(new TypeError('terminated')),
      })
      return new Response(broken, { headers: response.headers })
    },
  }
  const run = (format = 'ndjson', ...more: string[]) =>
    exportRecords([URL_, '--format', format, '--out', out, ...more], web, (line: string) => printed.push(line))
  const direct = async (query: string) =>
    (
      await world.avow.app.request(`/v1/audit/export?${query}`, { headers: { authorization: `Bearer ${world.key}` } })
    ).text()
  return { ...world, ids, web, way, run, direct, asked, waited, printed }
}

const read = (file: string) => readFileSync(file, 'utf8')

test('an export is the file that the server streams, with its manifest beside, and nothing else is left', async () => {
  const { run, direct, asked, printed } = await exportWorld(20)
  expect(await run('csv', '--granted', 'analytics', '--reason', 'für die Aufsicht')).toBe(0)
  expect(read(out)).toBe(await direct('format=csv&granted=analytics'))
  expect(JSON.parse(read(`${out}.manifest.json`))).toMatchObject({
    as: 'csv',
    records: 10,
    filters: { granted: 'analytics' },
  })
  for (const gone of ['.part', '.part.json']) expect(existsSync(out + gone)).toBe(false)
  expect(asked).toEqual(['export', 'export/manifest'])
  expect(printed.at(-1)).toContain('10 records in')
})

test.each(['ndjson', 'csv', 'jsonld', 'kantara'])(
  'an export as %s that breaks off again and again, in the middle of a row, is whole in the end',
  async (format) => {
    const { run, direct, way, asked } = await exportWorld(12)
    const whole = await direct(`format=${format}`)
    way.breakAfter = Math.ceil(whole.length / 4) + 7
    expect(await run(format)).toBe(0)
    expect(read(out)).toBe(whole)
    expect(asked.filter((one) => one === 'export after').length).toBeGreaterThan(2)
  },
)

test('line breaks in a value of CSV are no end of a row', async () => {
  const { run, direct, way, post, submission } = await exportWorld(2)
  for (let i = 0; i < 4; i++)
    expect((await post(submission({ page: 'https://shop.example/"a\r\nb"' }))).status).toBe(201)
  const whole = await direct('format=csv')
  expect(whole).toContain('""a\r\nb""')
  for (const breakAfter of [whole.length - 3, whole.length - 40, 700]) {
    way.breakAfter = breakAfter
    await run('csv')
    expect(read(out)).toBe(whole)
    out = `${out}x`
  }
})

test('what can’t be reached leaves what arrived, and the same command goes on from there', async () => {
  const { run, direct, way, waited, asked } = await exportWorld(12)
  const whole = await direct('format=ndjson')
  way.breakAfter = 2000
  way.instead = afterFirst(() => new TypeError('fetch failed', { cause: new Error('connection refused') }))
  expect(await run()).toBe(2)
  expect(existsSync(out)).toBe(false)
  expect(read(`${out}.part`)).toBe(whole.slice(0, whole.lastIndexOf('\n', 1999) + 1))
  expect(waited.length).toBeGreaterThan(2)
  way.instead = () => null
  way.breakAfter = null
  asked.length = 0
  expect(await run()).toBe(0)
  expect(asked).toEqual(['export after', 'export/manifest'])
  expect(read(out)).toBe(whole)
})

test('what is begun is not gone on with by another question', async () => {
  const { run, way } = await exportWorld(4)
  way.breakAfter = 1000
  way.instead = afterFirst(() => new TypeError('gone'))
  expect(await run()).toBe(2)
  await expect(run('ndjson', '--denied', 'analytics')).rejects.toThrow('part of another export')
})

test('records that were erased meanwhile make the file disagree: 1, and it does not get its name', async () => {
  const { run, way, storage, ids, printed } = await exportWorld(8)
  const erase = async (index: number) => {
    const { log } = await storage.openLog(SITE, null)
    await log.forget([{ index, grade: 'erase', secrets: new Uint8Array(0) }])
  }
  const erasing: Promise<void>[] = []
  way.instead = (url) => {
    if (url.pathname.endsWith('manifest')) erasing.push(erase(ids[0]!.index))
    return null
  }
  expect(await run()).toBe(1)
  await Promise.all(erasing)
  expect(existsSync(out)).toBe(false)
  expect(printed.at(-1)).toContain('does not agree')
})

test('what the server refuses is said in its words, and nothing is begun', async () => {
  const { run, waited } = await exportWorld(1)
  await expect(run('ndjson', '--denied', 'nonsense')).rejects.toThrow('refused: invalid-input: denied')
  await expect(run('ndjson', '--from', 'yesterday')).rejects.toThrow('refused: invalid-input: from')
  for (const name of ['', '.part', '.part.json', '.manifest.json']) expect(existsSync(out + name)).toBe(false)
  expect(waited).toEqual([])
})

test('a server that asks for patience gets it', async () => {
  const { run, way, waited } = await exportWorld(1)
  let times = 0
  way.instead = () => (times++ === 0 ? new Response('', { status: 503, headers: { 'retry-after': '7' } }) : null)
  expect(await run()).toBe(0)
  expect(waited[0]).toBe(7000)
})

test('what is missing is named before anything is asked', async () => {
  const { web, asked } = await exportWorld(0)
  const run = (...args: string[]) => exportRecords(args, web, () => {})
  await expect(run()).rejects.toThrow('URL')
  await expect(run('privacy.example', '--out', out)).rejects.toThrow('URL')
  await expect(run(URL_)).rejects.toThrow('--out')
  await expect(run(URL_, '--out', out)).rejects.toThrow('--format')
  await expect(run(URL_, '--out', out, '--format', 'xml')).rejects.toThrow('--format')
  writeFileSync(out, 'mine')
  await expect(run(URL_, '--out', out, '--format', 'csv')).rejects.toThrow('not there yet')
  await expect(
    exportRecords([URL_, '--out', `${out}2`, '--format', 'csv'], { ...web, apiKey: '' }, () => {}),
  ).rejects.toThrow('AVOW_API_KEY')
  expect([read(out), asked]).toEqual(['mine', []])
})

test('a server that sends the same again and again, and no row more, is not asked for ever', async () => {
  const { run, way, waited, direct } = await exportWorld(4)
  way.breakAfter = (await direct('format=csv')).indexOf('\r\n') + 30
  expect(await run('csv')).toBe(2)
  expect(waited.length).toBeLessThan(10)
  expect(existsSync(out)).toBe(false)
})

test('a manifest that can not be had is 2, and the same command needs nothing else any more', async () => {
  const { run, way, asked, direct, printed } = await exportWorld(4)
  way.instead = (url) => (url.pathname.endsWith('manifest') ? new TypeError('fetch failed') : null)
  expect(await run()).toBe(2)
  expect(printed.at(-1)).toContain('run the same again')
  expect(existsSync(out)).toBe(false)
  way.instead = () => null
  asked.length = 0
  expect(await run()).toBe(0)
  expect(asked).toEqual(['export after', 'export/manifest'])
  expect(read(out)).toBe(await direct('format=ndjson'))
})

test.each([
  ['a page of a proxy', '<html>'],
  ['nothing', ''],
  ['JSON that is none', 'null'],
  ['half of it', '{"sha256":'],
])('%s in place of the manifest is no reason to give the file its name', async (_, body) => {
  const { run, way } = await exportWorld(2)
  way.instead = (url) => (url.pathname.endsWith('manifest') ? new Response(body) : null)
  await expect(run()).rejects.toThrow('manifest')
  expect(existsSync(out)).toBe(false)
})

test('a manifest that does not end is given up', async () => {
  const { run, way } = await exportWorld(2)
  let sent = 0
  way.instead = (url) =>
    url.pathname.endsWith('manifest')
      ? new Response(
          new ReadableStream({
            pull(controller) {
              if (++sent > 4096) return controller.close()
              controller.enqueue(new Uint8Array(65_536).fill(0x0a))
            },
          }),
        )
      : null
  await expect(run()).rejects.toThrow('manifest')
  expect(sent).toBeLessThan(1000)
})

test('no file of anybody else is written over', async () => {
  const { run, asked } = await exportWorld(2)
  for (const name of ['.part', '.manifest.json']) {
    writeFileSync(out + name, 'mine')
    await expect(run()).rejects.toThrow(`${out}${name}`)
    expect(read(out + name)).toBe('mine')
    rmSync(out + name)
  }
  expect(asked).toEqual([])
})

test('nor what appears while it runs: what arrived stays, and the same command finishes once the other is gone', async () => {
  for (const name of ['', '.manifest.json']) {
    const { run, way, direct } = await exportWorld(2)
    out = path.join(testFolder(), 'records')
    way.instead = (url) => {
      if (url.pathname.endsWith('manifest')) writeFileSync(out + name, 'mine')
      return null
    }
    await expect(run()).rejects.toThrow(`${out}${name}, which appeared meanwhile`)
    expect(read(out + name)).toBe('mine')
    expect(read(`${out}.part`)).toBe(await direct('format=ndjson'))
    rmSync(out + name)
    way.instead = () => null
    expect(await run()).toBe(0)
    expect(read(out)).toBe(await direct('format=ndjson'))
    expect(JSON.parse(read(`${out}.manifest.json`))).toMatchObject({ records: 2 })
    expect(readdirSync(path.dirname(out)).sort()).toEqual(['records', 'records.manifest.json'])
  }
})

test('a page of a proxy in place of the rest is no part of the file', async () => {
  const { run, way, direct } = await exportWorld(12)
  way.breakAfter = 2000
  way.instead = afterFirst(() => new Response('<html>log in</html>\n'))
  expect(await run()).toBe(2)
  expect(read(`${out}.part`)).not.toContain('html')
  way.instead = () => null
  way.breakAfter = null
  expect(await run()).toBe(0)
  expect(read(out)).toBe(await direct('format=ndjson'))
})

test.each(['', '{"question":', 'null', '[]', '{"question":{}}'])(
  'where what is kept of a part is damaged, it says what to do: %j',
  async (kept) => {
    const { run, asked } = await exportWorld(1)
    writeFileSync(`${out}.part`, 'rows')
    writeFileSync(`${out}.part.json`, kept)
    await expect(run()).rejects.toThrow(`${out}.part.json can’t be read; remove it and ${out}.part`)
    expect([read(`${out}.part`), asked]).toEqual(['rows', []])
  },
)

test('where what had arrived was removed, it is fetched anew', async () => {
  const { run, way, direct } = await exportWorld(4)
  way.breakAfter = 1000
  way.instead = afterFirst(() => new TypeError('gone'))
  expect(await run()).toBe(2)
  rmSync(`${out}.part`)
  way.breakAfter = null
  way.instead = () => null
  expect(await run()).toBe(0)
  expect(read(out)).toBe(await direct('format=ndjson'))
})
