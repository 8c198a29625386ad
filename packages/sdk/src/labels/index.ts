/** The SDK's own words in every language it speaks. In no bundle of the browser's: they travel inside the notice. */
import type { Labels } from '../wire.js'
import { ar } from './ar.js'
import { bg } from './bg.js'
import { cs } from './cs.js'
import { da } from './da.js'
import { de } from './de.js'
import { el } from './el.js'
import { en } from './en.js'
import { es } from './es.js'
import { et } from './et.js'
import { fi } from './fi.js'
import { fr } from './fr.js'
import { ga } from './ga.js'
import { he } from './he.js'
import { hr } from './hr.js'
import { hu } from './hu.js'
import { is } from './is.js'
import { it } from './it.js'
import { ja } from './ja.js'
import { ko } from './ko.js'
import { lt } from './lt.js'
import { lv } from './lv.js'
import { mt } from './mt.js'
import { nb } from './nb.js'
import { nl } from './nl.js'
import { pl } from './pl.js'
import { pt } from './pt.js'
import { ptBR } from './pt-BR.js'
import { ro } from './ro.js'
import { sk } from './sk.js'
import { sl } from './sl.js'
import { sv } from './sv.js'
import { tr } from './tr.js'
import { uk } from './uk.js'
import { zh } from './zh.js'

export const labels: Readonly<Record<string, Labels>> = {
  ar,
  bg,
  cs,
  da,
  de,
  el,
  en,
  es,
  et,
  fi,
  fr,
  ga,
  he,
  hr,
  hu,
  is,
  it,
  ja,
  ko,
  lt,
  lv,
  mt,
  nb,
  nl,
  no: nb,
  pl,
  pt,
  'pt-BR': ptBR,
  ro,
  sk,
  sl,
  sv,
  tr,
  uk,
  zh,
}
