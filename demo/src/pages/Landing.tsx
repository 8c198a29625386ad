/** @jsxImportSource hono/jsx */
/** What a visitor who is not signed in sees: what this is, and the way in. */
import { Layout, type PageContext } from './Layout.js'

interface LandingProps {
  readonly page: PageContext
  readonly email: string
  readonly password: string
  readonly refused: boolean
}

export function Landing({ page, email, password, refused }: LandingProps) {
  return (
    <Layout page={page} title="Face recognition as an API" current="/">
      <div class="hero">
        <div>
          <p class="eyebrow">Face recognition as a service</p>
          <h1>Compare two faces in 40 milliseconds. Track nobody without asking.</h1>
          <p class="lead">
            One endpoint to detect, compare and verify. Sign in to the dashboard with the demo account, then choose
            about analytics and watch what your choice does.
          </p>
          <ul class="promises">
            <li>Nothing is measured until you say yes.</li>
            <li>Saying no is as easy, and is remembered.</li>
            <li>Every choice is a record that you and a regulator can check.</li>
          </ul>
        </div>
        <form method="post" action="/sign-in" class="card sign-in">
          <h2>Sign in</h2>
          {refused && (
            <p role="alert" class="error" data-testid="sign-in-error">
              This e-mail and password do not match. The demo account is written below.
            </p>
          )}
          <input type="hidden" name="csrf" value={page.csrf} />
          <label>
            E-mail
            <input name="email" type="email" autocomplete="username" required value={email} />
          </label>
          <label>
            Password
            <input name="password" type="password" autocomplete="current-password" required value={password} />
          </label>
          <button type="submit" class="primary" data-testid="sign-in">
            Sign in
          </button>
          <p class="hint">
            Demo account: <code>{email}</code> with the password <code>{password}</code>
          </p>
        </form>
      </div>
    </Layout>
  )
}
