/** @jsxImportSource hono/jsx */
/** The dashboard's first page: how much the API was used. */
import { endpoints, headline, trendPercent, usage } from '../usage.js'
import { Layout, type PageContext } from './Layout.js'
import { Scroll } from './Scroll.js'
import { Sparkline } from './Sparkline.js'

export const PERIODS = [7, 30, 90] as const

export function Overview({ page, days }: { page: PageContext; days: (typeof PERIODS)[number] }) {
  const series = usage(days)
  const requests = series[0]?.daily.reduce((total, value) => total + value, 0) ?? 0
  return (
    <Layout page={page} title="Overview" current="/dashboard">
      <div class="title">
        <div>
          <h1>Overview</h1>
          <p class="hint">Sample figures of an invented customer, the last {days} days.</p>
        </div>
        <nav class="tabs" aria-label="Period">
          {PERIODS.map((period) => (
            <a
              href={`/dashboard?days=${period}`}
              aria-current={period === days ? 'true' : undefined}
              data-feature={`period-${period}-days`}
            >
              {period} days
            </a>
          ))}
        </nav>
      </div>
      <div class="figures">
        {series.map((each) => {
          const trend = trendPercent(each)
          return (
            <section class="card figure">
              <h2>{each.name}</h2>
              <p class="value">{headline(each)}</p>
              <p class="hint">
                {trend === 0 ? 'as much as' : `${Math.abs(trend)} % ${trend > 0 ? 'more' : 'less'} than`} in the first
                half
              </p>
              <Sparkline values={each.daily} label={`${each.name} a day, the last ${days} days`} />
            </section>
          )
        })}
      </div>
      <section class="card">
        <h2>By endpoint</h2>
        <Scroll label="Requests by endpoint">
          <table>
            <thead>
              <tr>
                <th scope="col">Endpoint</th>
                <th scope="col" class="number">
                  Requests
                </th>
                <th scope="col">Share</th>
                <th scope="col" class="number">
                  p50
                </th>
                <th scope="col" class="number">
                  p99
                </th>
              </tr>
            </thead>
            <tbody>
              {endpoints.map(({ route, share, p50Ms, p99Ms }) => (
                <tr>
                  <th scope="row">
                    <code>{route}</code>
                  </th>
                  <td class="number">{Math.round(requests * share).toLocaleString('en-US')}</td>
                  <td>
                    <meter min="0" max="100" value={String(share * 100)}>
                      {Math.round(share * 100)} %
                    </meter>
                  </td>
                  <td class="number">{p50Ms} ms</td>
                  <td class="number">{p99Ms} ms</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </section>
      <section class="card try">
        <div>
          <h2>Try a feature</h2>
          <p class="hint">
            Each of these reports “feature used” to analytics, if and only if you consented. Watch the traffic panel.
          </p>
        </div>
        <div class="row">
          <button type="button" data-feature="compare-faces" data-testid="feature-compare">
            Compare two faces
          </button>
          <button type="button" data-feature="detect-faces">
            Detect faces
          </button>
          <button type="button" data-feature="export-usage">
            Export usage
          </button>
        </div>
      </section>
    </Layout>
  )
}
