/**
 * How long `avow verify` takes for a whole log: `node bench/verify/run.mjs [--entries 1000000]` (after `npm run build`). The log
 * is a folder of files as they are served, made of the server's own pieces; the command is run as anybody would run it.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { encodeBase64url } from '../../packages/server/dist/ledger/base64.js'
import { formatCheckpoint } from '../../packages/server/dist/ledger/checkpoint.js'
import { encodeEntry } from '../../packages/server/dist/ledger/entry.js'
import { createSigner } from '../../packages/server/dist/ledger/signer.js'
import { entryBundle, TILE_WIDTH, TileEdge, tilePath } from '../../packages/server/dist/merkle/tile.js'
import { leafHash } from '../../packages/server/dist/merkle/tree.js'

const { values } = parseArgs({ options: { entries: { type: 'string', default: '1000000' } } })
const entries = Number(values.entries)
const folder = mkdtempSync(path.join(tmpdir(), 'avow-verify-'))
const write = (file, bytes) => {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
  writeFileSync(path.join(folder, file), bytes)
}

const commitment = () => encodeBase64url(randomBytes(32))
const signer = createSigner('bench.example/log/bench', randomBytes(32))
const leaves = []
for (let start = 0; start < entries; start += TILE_WIDTH) {
  const bundled = Array.from({ length: Math.min(TILE_WIDTH, entries - start) }, () =>
    encodeEntry({ type: 'consent', v: 1, evidence: commitment(), identity: commitment() }),
  )
  leaves.push(...bundled.map(leafHash))
  write(tilePath('entries', start / TILE_WIDTH, bundled.length), entryBundle(bundled))
}
const { root, writes } = TileEdge.restore(0, () => null).append(leaves)
for (const { level, n, hashes } of writes) write(tilePath(level, n, hashes.length / 32), hashes)
write('checkpoint', signer.sign(formatCheckpoint({ origin: signer.name, size: entries, root })))

const avow = path.join(import.meta.dirname, '../../packages/server/bin/avow.js')
const started = performance.now()
const answer = execFileSync(process.execPath, [avow, 'verify', folder, '--vkey', signer.vkey], { encoding: 'utf8' })
console.log(answer.trim())
console.log(
  `${entries} entries in ${((performance.now() - started) / 1000).toFixed(1)} s; load average ${loadavg()[0].toFixed(1)} on ${availableParallelism()} processors`,
)
rmSync(folder, { recursive: true })
