/** @jsxImportSource hono/jsx */
/** The privacy team's page: look a consent up, take the evidence, verify it here. Works through the audit API alone (`web/privacy.ts`). */
import { Layout, type PageContext } from './Layout.js'
import { Scroll } from './Scroll.js'

interface PrivacyTeamProps {
  readonly page: PageContext
  /** Path of the audit API. */
  readonly api: string
  readonly vkey: string
}

export function PrivacyTeam({ page, api, vkey }: PrivacyTeamProps) {
  return (
    <Layout page={page} title="Privacy team" current="/privacy-team" dock={false} module="/assets/privacy.js">
      <div id="team" data-api={api}>
        <h1>Privacy team</h1>
        <p class="lead">
          Find what a person chose, take the evidence away, and check it yourself. The check needs the log’s public key
          and nothing else: no server, no network.
        </p>
        <p role="alert" class="error" id="problem" data-testid="problem" hidden />

        <form class="card" id="access" data-testid="access">
          <h2>1. Access</h2>
          <div class="pair">
            <label>
              Audit key
              <input
                id="key"
                data-testid="audit-key"
                type="password"
                autocomplete="off"
                required
                placeholder="avow_…"
              />
            </label>
            <label>
              Reason, kept in the access log
              <input
                id="reason"
                data-testid="audit-reason"
                required
                maxlength={200}
                value="looking into a consent record"
              />
            </label>
          </div>
          <p class="row">
            <button type="submit" class="primary" data-testid="list-records">
              Show the latest records
            </button>
            <span class="hint">The key stays in this page’s memory and is gone when you leave.</span>
          </p>
        </form>

        <section class="card" id="latest" hidden>
          <h2>Latest records</h2>
          <p class="hint" id="latest-log" data-testid="log-size" />
          <Scroll label="Latest records">
            <table data-testid="records">
              <thead>
                <tr>
                  <th scope="col" class="number">
                    Index
                  </th>
                  <th scope="col">Recorded</th>
                  <th scope="col">Action</th>
                  <th scope="col">Choices</th>
                  <th scope="col">Policy</th>
                  <th scope="col">Consent id</th>
                </tr>
              </thead>
              <tbody />
            </table>
          </Scroll>
          <p class="row">
            <button type="button" id="newest" disabled>
              Newest
            </button>
            <button type="button" id="older" data-testid="older" disabled>
              Older
            </button>
          </p>
        </section>

        <form class="card" id="lookup" data-testid="lookup">
          <h2>2. One person’s history</h2>
          <p class="hint">People find their consent id in their account settings and under “What just happened”.</p>
          <div class="row">
            <label class="grow">
              Consent id
              <input id="subject" data-testid="subject" required autocomplete="off" spellcheck={false} />
            </label>
            <button type="submit" data-testid="show-history">
              Show history
            </button>
          </div>
          <div id="history" hidden>
            <p>
              State: <strong id="state" data-testid="subject-state" />
            </p>
            <Scroll label="History">
              <table data-testid="history">
                <thead>
                  <tr>
                    <th scope="col" class="number">
                      Index
                    </th>
                    <th scope="col">Decided (browser)</th>
                    <th scope="col">Recorded (server)</th>
                    <th scope="col">Action</th>
                    <th scope="col">Choices</th>
                    <th scope="col">Where</th>
                    <th scope="col">Policy</th>
                    <th scope="col">Language</th>
                    <th scope="col">GPC</th>
                  </tr>
                </thead>
                <tbody />
              </table>
            </Scroll>
          </div>
        </form>

        <section class="card" id="evidence">
          <h2>3. Evidence</h2>
          <p class="hint">
            One file with the records, what opens them, the words that were shown, and the proofs that all of it is in
            the log.
          </p>
          <div class="row">
            <button type="button" id="fetch-evidence" data-testid="fetch-evidence" disabled>
              Fetch evidence
            </button>
            <button type="button" id="download-evidence" data-testid="download-evidence" disabled>
              Download evidence
            </button>
            <label class="file">
              or open a file
              <input type="file" id="evidence-file" data-testid="evidence-file" accept=".json,application/json" />
            </label>
          </div>
          <p role="status" id="evidence-state" data-testid="evidence-state">
            No evidence here yet.
          </p>
        </section>

        <form class="card" id="check" data-testid="check">
          <h2>4. Verify</h2>
          <label>
            Public key of the log
            <textarea id="vkey" data-testid="vkey" rows={2} required spellcheck={false}>
              {vkey}
            </textarea>
          </label>
          <p class="hint">
            Fingerprint <code id="fingerprint" data-testid="fingerprint" />. Compare it with one you were given another
            way: a key that comes with the evidence proves nothing.
          </p>
          <p class="row">
            <button type="submit" class="primary" id="verify" data-testid="verify" disabled>
              Verify offline
            </button>
            <span class="hint">You may cut the network now.</span>
          </p>
          <div id="verdict" role="status" data-testid="verdict" />
        </form>
      </div>
    </Layout>
  )
}
