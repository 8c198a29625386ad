/** One server of the ingest bench: `node server.mjs PORT KIND FOLDER`, KIND being empty, avow, or single (one commit a request). Says what a submission must cite. */
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'

const [port, kind, folder] = process.argv.slice(2)
// The backlog is that of `avow serve`.
const listen = (fetch, told) =>
  createAdaptorServer({ fetch }).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () =>
    console.log(JSON.stringify(told)),
  )

if (kind === 'empty') {
  const app = new Hono()
  app.post('/v1/consents', async (c) => {
    await c.req.text()
    return c.json({ ok: true }, 201)
  })
  listen(app.fetch, {})
} else {
  const { createAvow, generateKey, readPolicy } = await import('@avow/server')
  const avow = await createAvow({
    data: folder,
    publicUrl: `http://127.0.0.1:${port}`,
    sites: [
      {
        site: 'bench',
        policy: readPolicy(new URL('../../demo/policy.json', import.meta.url).pathname),
        origins: ['http://bench.example'],
        publicLog: true,
      },
    ],
    rateLimit: null,
    keys: [generateKey()],
    ...(kind === 'single' ? { batchLimit: 1 } : {}),
  })
  const notice = await (await avow.app.request('/v1/sites/bench/notice')).json()
  listen(avow.app.fetch, { policy: notice.policy, notice: { hash: notice.hash, language: notice.language } })
  process.once('SIGTERM', () => avow.close().then(() => process.exit(0)))
}
