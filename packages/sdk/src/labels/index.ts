/** The SDK's own words in every language it speaks. In no bundle of the browser's: they travel inside the notice. */
import type { Labels } from '../wire.js'
import { de } from './de.js'
import { en } from './en.js'

export const labels: Readonly<Record<string, Labels>> = { en, de }
