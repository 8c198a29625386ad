/**
 * What Avow is measured beside: for each the page that its own manual would have a site write for two categories, with a banner that can
 * refuse and, but for the last, preferences. `files` are served under `/files/NAME/`; `banner` and `accept` are expressions.
 */
import { readFileSync } from 'node:fs'

const installed = (path) => readFileSync(new URL(`node_modules/${path}`, import.meta.url))
const one = (selector) => `document.querySelector('${selector}')`

const text = 'We use strictly necessary cookies to sign you in. With your consent we also measure which pages are used.'

export const peers = {
  'vanilla-cookieconsent': {
    files: {
      'main.js': installed('vanilla-cookieconsent/dist/cookieconsent.umd.js'),
      'main.css': installed('vanilla-cookieconsent/dist/cookieconsent.css'),
    },
    head: '<link rel="stylesheet" href="/files/vanilla-cookieconsent/main.css">',
    end: `<script src="/files/vanilla-cookieconsent/main.js"></script><script>CookieConsent.run({
      hideFromBots: false,
      categories: { necessary: { enabled: true, readOnly: true }, analytics: { autoClear: { cookies: [{ name: /^_ga/ }] } } },
      language: { default: 'en', translations: { en: {
        consentModal: { title: 'Your privacy', description: '${text}', acceptAllBtn: 'Accept all', acceptNecessaryBtn: 'Reject all',
          showPreferencesBtn: 'Manage' },
        preferencesModal: { title: 'Privacy choices', acceptAllBtn: 'Accept all', acceptNecessaryBtn: 'Reject all',
          savePreferencesBtn: 'Save', closeIconLabel: 'Close', sections: [
            { title: 'Strictly necessary', description: 'They sign you in.', linkedCategory: 'necessary' },
            { title: 'Analytics', description: 'Page views.', linkedCategory: 'analytics' }] } } } } })</script>`,
    banner: one('#cc-main .cm'),
    accept: one('#cc-main .cm [data-role=all]'),
  },
  orejime: {
    files: {
      'main.js': installed('orejime/dist/orejime-standard-en.js'),
      'main.css': installed('orejime/dist/orejime-standard.css'),
    },
    head: '<link rel="stylesheet" href="/files/orejime/main.css">',
    end: `<script>window.orejimeConfig = { privacyPolicyUrl: '/privacy', purposes: [
      { id: 'session', title: 'Session', description: 'They sign you in.', isMandatory: true, cookies: [] },
      { id: 'analytics', title: 'Analytics', description: 'Page views.', cookies: ['_ga'] }] }</script>
      <script src="/files/orejime/main.js"></script>`,
    banner: one('.orejime-Banner'),
    accept: one('.orejime-Banner-acceptButton, .orejime-Banner-saveButton'),
  },
  klaro: {
    files: { 'main.js': installed('klaro/dist/klaro.js') },
    head: `<script>var klaroConfig = { version: 1, elementID: 'klaro', acceptAll: true, lang: 'en',
      translations: { en: { consentNotice: { description: '${text}' }, purposes: { analytics: 'Analytics', necessary: 'Necessary' } } },
      services: [{ name: 'session', title: 'Session', purposes: ['necessary'], required: true },
        { name: 'analytics', title: 'Analytics', purposes: ['analytics'], cookies: [/^_ga/] }] }</script>
      <script defer src="/files/klaro/main.js"></script>`,
    end: '',
    banner: one('#klaro .cookie-notice, #klaro .cookie-modal-notice'),
    accept: one('#klaro .cm-btn-success, #klaro .cm-btn-accept-all'),
  },
  tarteaucitron: {
    files: Object.fromEntries(
      [
        'tarteaucitron.min.js',
        'tarteaucitron.services.min.js',
        'css/tarteaucitron.min.css',
        'lang/tarteaucitron.en.min.js',
      ].map((name) => [name, installed(`tarteaucitronjs/${name}`)]),
    ),
    head: '<script src="/files/tarteaucitron/tarteaucitron.min.js"></script>',
    end: `<script>tarteaucitron.init({ privacyUrl: '', bodyPosition: 'bottom', hashtag: '#choices', cookieName: 'choices',
      orientation: 'bottom', showAlertSmall: false, cookieslist: false, showIcon: false, DenyAllCta: true, AcceptAllCta: true,
      highPrivacy: true, removeCredit: true, moreInfoLink: false, mandatory: true });
      tarteaucitron.services.own = { key: 'own', type: 'analytic', name: 'Analytics', needConsent: true, cookies: ['_ga'],
        js() {}, fallback() {} };
      (tarteaucitron.job = tarteaucitron.job || []).push('own')</script>`,
    banner: one('#tarteaucitronAlertBig'),
    accept: one('#tarteaucitronPersonalize2'),
  },
  'cookieconsent (no preferences)': {
    files: {
      'main.js': installed('cookieconsent/build/cookieconsent.min.js'),
      'main.css': installed('cookieconsent/build/cookieconsent.min.css'),
    },
    head: '<link rel="stylesheet" href="/files/cookieconsent (no preferences)/main.css">',
    end: `<script src="/files/cookieconsent (no preferences)/main.js"></script><script>window.cookieconsent.initialise({
      type: 'opt-in', palette: { popup: { background: '#fff' }, button: { background: '#123' } }, content: { message: '${text}' } })</script>`,
    banner: one('.cc-window'),
    accept: one('.cc-window .cc-allow'),
  },
}
