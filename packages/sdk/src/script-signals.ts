/** The script tag's entry, for a site with a `consentMode`: the same, and what is told in Google's way. */
import { tellSignals } from './loader/signals.js'
import { serveTag } from './loader/tag.js'

serveTag(tellSignals)
