/** @jsxImportSource hono/jsx */
/** The privacy policy, in English and German; its cookie table is the policy document's own. */
import type { PolicyDocument } from '../policy-document.js'
import { Layout, type PageContext } from './Layout.js'
import { Scroll } from './Scroll.js'

const words = {
  en: {
    title: 'Privacy policy',
    version: 'Version',
    since: 'in force since',
    other: 'Deutsch',
    intro: (name: string) =>
      `${name} runs a face-recognition API and the dashboard you are looking at. This page says what we keep about the people who use the dashboard, why, and how to stop it.`,
    cookies: 'Cookies and browser storage',
    cookiesIntro:
      'Two categories, and no third. Strictly necessary cookies cannot be disabled and end with your session or after 30 days of inactivity. Analytics runs only with your consent, and you can opt out at any time in your account settings. There are no advertising cookies.',
    name: 'Name',
    provider: 'Provider',
    purpose: 'Purpose',
    lifetime: 'Lifetime',
    kinds: { cookie: 'cookie', local: 'local storage', session: 'session storage' },
    choice: (inactivity: number, max: number) =>
      `We remember your choice for ${inactivity} days after your last activity and ask again after ${max} days at the latest. A refusal is kept like a consent. Each choice becomes a record in a ledger that cannot be altered unnoticed; your consent id in the account settings finds yours.`,
    choiceTitle: 'Your choice',
    change: 'Cookie settings',
    withdraw: 'Withdraw consent',
    rights: 'Your rights',
    rightsText:
      'Access, portability, erasure, restriction and objection under the GDPR; know, delete and opt out under the CCPA. We answer within 30 days.',
    security: 'Security and retention',
    securityItems: [
      'Access logs are purged after 90 days; all access to personal data is logged.',
      'API keys are hashed one way.',
      'Data is encrypted at rest with AES-256 and on its way with TLS 1.3.',
    ],
    contact: 'Contact',
  },
  de: {
    title: 'Datenschutzerklärung',
    version: 'Fassung',
    since: 'in Kraft seit',
    other: 'English',
    intro: (name: string) =>
      `${name} betreibt eine API zur Gesichtserkennung und das Dashboard, das Sie gerade sehen. Diese Seite sagt, was wir über die Menschen aufbewahren, die das Dashboard nutzen, warum, und wie Sie es beenden.`,
    cookies: 'Cookies und Speicher im Browser',
    cookiesIntro:
      'Zwei Kategorien, keine dritte. Unbedingt erforderliche Cookies lassen sich nicht abschalten und enden mit Ihrer Sitzung oder nach 30 Tagen ohne Aktivität. Die Analyse läuft nur mit Ihrer Einwilligung, und Sie können sie jederzeit in den Kontoeinstellungen beenden. Werbe-Cookies gibt es nicht.',
    name: 'Name',
    provider: 'Anbieter',
    purpose: 'Zweck',
    lifetime: 'Dauer',
    kinds: { cookie: 'Cookie', local: 'Local Storage', session: 'Session Storage' },
    choice: (inactivity: number, max: number) =>
      `Wir merken uns Ihre Wahl bis ${inactivity} Tage nach Ihrer letzten Aktivität und fragen spätestens nach ${max} Tagen erneut. Eine Ablehnung wird genauso aufbewahrt wie eine Einwilligung. Jede Wahl wird zu einem Eintrag in einem Verzeichnis, das nicht unbemerkt verändert werden kann; mit Ihrer Einwilligungs-ID aus den Kontoeinstellungen findet man Ihren.`,
    choiceTitle: 'Ihre Wahl',
    change: 'Cookie-Einstellungen',
    withdraw: 'Einwilligung widerrufen',
    rights: 'Ihre Rechte',
    rightsText:
      'Auskunft, Übertragbarkeit, Löschung, Einschränkung und Widerspruch nach der DSGVO; Auskunft, Löschung und Opt-out nach dem CCPA. Wir antworten innerhalb von 30 Tagen.',
    security: 'Sicherheit und Aufbewahrung',
    securityItems: [
      'Zugriffsprotokolle werden nach 90 Tagen gelöscht; jeder Zugriff auf personenbezogene Daten wird protokolliert.',
      'API-Schlüssel werden nur als Einweg-Hash gespeichert.',
      'Daten sind ruhend mit AES-256 und unterwegs mit TLS 1.3 verschlüsselt.',
    ],
    contact: 'Kontakt',
  },
}

export function Privacy({
  page,
  policy,
  language,
}: {
  page: PageContext
  policy: PolicyDocument
  language: 'en' | 'de'
}) {
  const text = words[language]
  const other = language === 'en' ? 'de' : 'en'
  return (
    <Layout page={page} title={text.title} current="/privacy" language={language}>
      <article class="prose">
        <div class="title">
          <div>
            <h1>{text.title}</h1>
            <p class="hint">
              {text.version} {policy.version}, {text.since} <time datetime={policy.effective}>{policy.effective}</time>
            </p>
          </div>
          <nav class="tabs" aria-label={language === 'de' ? 'Sprache' : 'Language'}>
            <a href={`/privacy?lang=${other}`} hreflang={other} lang={other}>
              {text.other}
            </a>
          </nav>
        </div>
        <p>{text.intro(policy.controller.name)}</p>
        <h2>{text.cookies}</h2>
        <p>{text.cookiesIntro}</p>
        {policy.categories.map((category) => (
          <section>
            <h3>{category.texts[language]?.title}</h3>
            <p>{category.texts[language]?.description}</p>
            <Scroll label={category.texts[language]?.title}>
              <table class="cookies" data-testid={`cookies-${category.id}`}>
                <thead>
                  <tr>
                    <th scope="col">{text.name}</th>
                    <th scope="col">{text.purpose}</th>
                    <th scope="col">{text.lifetime}</th>
                    <th scope="col">{text.provider}</th>
                  </tr>
                </thead>
                <tbody>
                  {policy.cookies
                    .filter((cookie) => cookie.category === category.id)
                    .map((cookie) => (
                      <tr>
                        <th scope="row">
                          <code>{cookie.name}</code>
                          <small>{text.kinds[cookie.kind]}</small>
                        </th>
                        <td>
                          {cookie.purpose[language]} {cookie.necessaryBecause?.[language]}
                        </td>
                        <td>{cookie.lifetime[language]}</td>
                        <td>{cookie.provider}</td>
                      </tr>
                    ))}
                </tbody>
              </table>
            </Scroll>
          </section>
        ))}
        <h2>{text.choiceTitle}</h2>
        <p>{text.choice(policy.inactivityDays, policy.maxAgeDays)}</p>
        <p class="row">
          <button type="button" data-avow-open>
            {text.change}
          </button>
          <button type="button" data-avow-withdraw data-testid="withdraw">
            {text.withdraw}
          </button>
        </p>
        <h2>{text.rights}</h2>
        <p>{text.rightsText}</p>
        <h2>{text.security}</h2>
        <ul>
          {text.securityItems.map((item) => (
            <li>{item}</li>
          ))}
        </ul>
        <h2>{text.contact}</h2>
        <address>
          {policy.controller.name}, {policy.controller.address}
          <br />
          <a href={`mailto:${policy.controller.email}`}>{policy.controller.email}</a>
        </address>
      </article>
    </Layout>
  )
}
