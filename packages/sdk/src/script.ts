/** The script tag's entry, for a site that has nothing to tell Google. */
import { serveTag } from './loader/tag.js'

serveTag()
