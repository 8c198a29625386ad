/** Servers and erasures that die at one exact place, see `failpoint.mjs`. */
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Place, runProgram } from './place.js'

const failpoint = new URL('failpoint.mjs', import.meta.url).href
const eraser = fileURLToPath(new URL('erase.mjs', import.meta.url))

const flagFile = (place: Place) => path.join(place.folder, 'armed')

export const arm = (place: Place): void => writeFileSync(flagFile(place), '')
export const disarm = (place: Place): void => rmSync(flagFile(place), { force: true })

/** What a program is started with, so that it dies there once `arm` was called. */
export const diesAt = (place: Place, where: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import=${failpoint}`,
  AVOW_FAILPOINT: where,
  AVOW_FAILPOINT_ARMED: flagFile(place),
})

export type Grade = 'unlink' | 'erase'

/** Erases records, by their index or `<log>/<index>`, while no server runs; answers the signal it died of, null if it came to its end. */
export async function erase(
  place: Place,
  grade: Grade,
  indexes: readonly (number | string)[],
  env: NodeJS.ProcessEnv = {},
): Promise<NodeJS.Signals | null> {
  const args = [eraser, place.data, place.kekFile, grade, ...indexes.map(String)]
  const { status, signal, stderr } = await runProgram(args, { ...place.env, ...env })
  if (status !== 0 && signal === null) throw new Error(`the erasure failed: ${stderr}`)
  return signal
}
