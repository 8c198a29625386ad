/** The description of this API, and a page to read it, from this package alone. */
import { readFileSync } from 'node:fs'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { REASON_LIMIT } from '../access/api-key.js'
import type { KeyEnv } from '../middleware/api-key.js'
import { Refusal } from '../problem.js'
import { type Asset, createAsset } from './asset.js'

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Avow API</title></head>
<body><script id="api-reference" data-url="openapi.json" data-configuration='{"withDefaultFonts":false,"telemetry":false,"hideClientButton":true,"showDeveloperTools":"never","agent":{"disabled":true}}'></script>
<script src="docs/scalar.js"></script></body>
</html>
`

// The reader styles itself with inline styles and evaluates nothing; it may talk to this server alone.
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"

interface Operation {
  readonly security?: readonly object[]
  parameters?: readonly object[]
}

/** What the door of the private surface reads of every request. */
const DOOR_HEADERS = [
  {
    name: 'Avow-Site',
    in: 'header',
    description: 'the site that is asked about, for who reaches several',
    schema: { type: 'string' },
  },
  {
    name: 'Avow-Reason',
    in: 'header',
    // No `maxLength`: a client would count what is percent-encoded, and the server what that stands for.
    description: `why, for the access log: up to ${REASON_LIMIT} characters on one line, percent-encoded where they aren’t ASCII`,
    schema: { type: 'string' },
  },
]

export function docsRoutes(app: OpenAPIHono<KeyEnv>, version: string): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'avow_<env>_<random><checksum>',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'an access token of the company’s own identity provider, where the operator has set one',
  })
  app.get('/openapi.json', (c) => {
    const base = new URL(c.req.url).pathname.replace(/\/openapi\.json$/, '')
    const document = app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: { title: 'Avow', version, description: 'Consent you can prove.', license: { name: 'MIT' } },
      servers: [{ url: base || '/' }],
    })
    for (const operations of Object.values(document.paths ?? {}))
      for (const operation of Object.values(operations) as Operation[])
        if (operation.security?.some((one) => 'apiKey' in one))
          operation.parameters = [...(operation.parameters ?? []), ...DOOR_HEADERS]
    return c.json(document)
  })
  app.get('/docs', (c) => c.html(PAGE, 200, { 'content-security-policy': CSP }))
  let reader: Asset | null = null
  app.get('/docs/scalar.js', (c) => {
    reader ??= readReader()
    return reader(c)
  })
}

/** Read on the first visit: most servers are never asked for it, and compressing three megabytes takes seconds. */
function readReader(): Asset {
  const file = new URL('../docs/scalar.js', import.meta.url)
  try {
    return createAsset(readFileSync(file), 'text/javascript; charset=utf-8', 'public, max-age=86400')
  } catch {
    // Only the build puts it there; the description itself is served all the same.
    throw new Refusal('not-found', 'the reader is part of the built package: run the build')
  }
}
