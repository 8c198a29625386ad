/** @jsxImportSource hono/jsx */
/** The account's settings: cookies and consent, API keys. */
import type { ApiKey } from '../sessions.js'
import { Layout, type PageContext } from './Layout.js'
import { Scroll } from './Scroll.js'

interface AccountProps {
  readonly page: PageContext
  readonly keys: readonly ApiKey[]
  /** A key just created: shown this once. */
  readonly created: string | null
  readonly refused: string | null
}

export function Account({ page, keys, created, refused }: AccountProps) {
  return (
    <Layout page={page} title="Account" current="/account">
      <h1>Account</h1>
      <section class="card" id="consent">
        <h2>Cookies and consent</h2>
        <p class="hint">What you chose, when, and the way to change it. Withdrawing takes one click.</p>
        <avow-settings data-testid="settings" />
      </section>
      <section class="card" id="keys">
        <h2>API keys</h2>
        <p class="hint">
          We keep a one-way hash (SHA-256) and the first characters of each key. Nobody can read a key back, we neither.
        </p>
        {refused && (
          <p role="alert" class="error">
            {refused}
          </p>
        )}
        {created && (
          <div role="status" class="created" data-testid="created-key">
            <p>Copy this key now. It is shown this once.</p>
            <code>{created}</code>
          </div>
        )}
        {keys.length > 0 && (
          <Scroll label="API keys">
            <table data-testid="api-keys">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Key</th>
                  <th scope="col">Created</th>
                </tr>
              </thead>
              <tbody>
                {keys.map(({ name, prefix, createdAt }) => (
                  <tr>
                    <th scope="row">{name}</th>
                    <td>
                      <code>{prefix}…</code>
                    </td>
                    <td>{new Date(createdAt).toISOString().slice(0, 10)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
        <form method="post" action="/account/keys" class="row">
          <input type="hidden" name="csrf" value={page.csrf} />
          <label class="grow">
            Name of a new key
            <input name="name" required maxlength={40} placeholder="production" autocomplete="off" />
          </label>
          <button type="submit" data-feature="create-api-key">
            Create key
          </button>
        </form>
      </section>
      <section class="card">
        <h2>Your rights</h2>
        <p>
          Access, portability, erasure, restriction and objection (GDPR); know, delete and opt out (CCPA). Write to{' '}
          <a href="mailto:privacy@fr-apiaas.example">privacy@fr-apiaas.example</a> and we answer within 30 days.
        </p>
      </section>
    </Layout>
  )
}
