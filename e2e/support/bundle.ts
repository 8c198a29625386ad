/** The npm entry as a host's own bundler would put it into a page: one file, which leaves `createConsent` on the window. */
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'

const entry = new URL('../../packages/sdk/dist/esm/index.js', import.meta.url).pathname

let bundled: Promise<string> | undefined

async function build(): Promise<string> {
  const made = await rollup({
    input: 'page',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? id : null),
        load: (id) =>
          id === 'page'
            ? `import { createConsent } from ${JSON.stringify(entry)}; window.createConsent = createConsent`
            : null,
      },
      nodeResolve({ browser: true }),
    ],
  })
  const { output } = await made.generate({ format: 'iife', inlineDynamicImports: true })
  await made.close()
  return output[0].code
}

/** Made once a worker. */
export const bundle = (): Promise<string> => {
  bundled ??= build()
  return bundled
}
