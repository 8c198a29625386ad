/** @jsxImportSource hono/jsx */
/** The two panels beside every page: what analytics sends, and what the last decision left behind. Filled by `web/dashboard.ts`. */

export function Dock() {
  return (
    <aside class="dock" aria-label="Behind the scenes" lang="en">
      <details class="card" open id="traffic" data-testid="traffic">
        <summary>
          <h2>Analytics traffic</h2>
          <span class="pill" id="traffic-state" data-testid="traffic-state">
            off
          </span>
        </summary>
        <p class="hint">
          What our server has received from this browser’s analytics script:{' '}
          <strong>
            <span id="traffic-count" data-testid="traffic-count">
              0
            </span>{' '}
            events
          </strong>
          .
        </p>
        <ol class="events" id="traffic-events" data-testid="traffic-events" />
        <p class="hint" id="traffic-none" data-testid="traffic-none">
          Nothing. The script is held until you consent.
        </p>
      </details>
      <details class="card" open id="happened" data-testid="what-just-happened">
        <summary>
          <h2>What just happened</h2>
          <span class="pill" id="happened-state" data-testid="decision-state">
            undecided
          </span>
        </summary>
        <p class="hint" id="happened-none">
          You have not decided yet: no consent cookie, no record.
        </p>
        <section id="happened-cookie" hidden data-testid="decision-cookie">
          <h3>1. A cookie in this browser</h3>
          <dl />
        </section>
        <section id="happened-record" hidden data-testid="decision-record">
          <h3>2. A record in the ledger</h3>
          <dl />
        </section>
        <section id="happened-receipt" hidden data-testid="decision-receipt">
          <h3>3. A receipt that proves it</h3>
          <dl />
          <pre data-testid="checkpoint" />
        </section>
      </details>
    </aside>
  )
}
