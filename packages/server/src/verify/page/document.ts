/**
 * Evidence as one page: to read, to print, and to check by itself, from a file and without a network. Its bundle stands in it
 * as data, which `avow verify` takes out again.
 */
import { encodeBase64 } from '../../ledger/base64.js'
import { sha256 } from '../../merkle/hash.js'
import { VerificationError } from '../../merkle/verification-error.js'
import { escapeHtml, renderEvidence, type ShownBundle } from './render.js'
import { STYLE } from './style.js'

const OPEN = '<script type="application/json" id="bundle">'
const CLOSE = '</script>'

const hashOf = (content: string): string => `'sha256-${encodeBase64(sha256(new TextEncoder().encode(content)))}'`

/** `script`: what the build makes of `script.ts`. */
export function createEvidencePage(bundle: ShownBundle, script: string): { html: string; csp: string } {
  // Nothing in a script may end it, begin a comment that swallows its end, or look like the evidence. Done twice it is the same.
  const inline = script.replace(/<(?=\/script|script |!--)/gi, '\\x3c')
  // Allows these two texts and nothing else: no request, no other script, no style of an attribute.
  const csp = `default-src 'none'; script-src ${hashOf(inline)}; style-src ${hashOf(STYLE)}; base-uri 'none'; form-action 'none'`
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Evidence of consent, ${escapeHtml(bundle.subject.slice(0, 12))}…</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>Evidence of consent</h1></header>
<section id="check" aria-labelledby="check-title">
<h2 id="check-title">Is it true?</h2>
<div id="result" role="status"><p>Not checked: this page has not run its script. What it says can be checked with <code>avow verify</code>.</p></div>
<p><label for="expected">The key that you know to be theirs</label> <input id="expected" autocomplete="off" spellcheck="false" placeholder="name+0123abcd+…"></p>
</section>
<main id="evidence">${renderEvidence(bundle)}</main>
${OPEN}${embed(bundle)}${CLOSE}
<script>${inline}</script>
</body>
</html>
`
  return { html, csp }
}

/** JSON that no parser of markup or of scripts reads otherwise. */
const embed = (bundle: object): string =>
  JSON.stringify(bundle).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Whether a file is such a page, and no bundle as it stands. */
export const isEvidencePage = (text: string): boolean => /^\s*<!doctype html>/i.test(text)

/** The bundle in the text of a page, as JSON. Throws `VerificationError` where there is none, or more than one to choose from. */
export function bundleInPage(html: string): string {
  const [, data, ...more] = html.split(OPEN)
  if (data === undefined) throw new VerificationError('the page holds no evidence')
  if (more.length > 0) throw new VerificationError('the page holds evidence twice')
  return data.slice(0, data.indexOf(CLOSE))
}
