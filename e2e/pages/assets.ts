/** What pages of a host load beside Avow: a fake tracker and where it reports to, a file that leaves a mark, a frame. */

export interface Asset {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/**
 * What trackers do, all of it declared: cookies for this path and host, for the domain above, and by prefix; both
 * storages; and a request.
 */
const tracker = `
{
  (window.ran ??= []).push('tracker');
  const secure = location.protocol === 'https:' ? ';secure' : '';
  const above = location.hostname.split('.').slice(-3).join('.');
  document.cookie = 'fr_visit=1;path=/;max-age=3600' + secure;
  document.cookie = '_ga_X1=1;path=/;max-age=3600;domain=' + above + secure;
  document.cookie = '_gat=1;max-age=3600' + secure;
  localStorage.setItem('fr_queue', '1');
  sessionStorage.setItem('fr_views', '1');
  fetch('/track?view', { method: 'POST' }).catch(() => {});
}`

const javascript = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-store' }

const assets: Readonly<Record<string, Asset>> = {
  '/tracker.js': { status: 200, headers: javascript, body: tracker },
  // Its name is its query, so that one file serves for all marks. It may run and have lost its address by then.
  '/mark.js': {
    status: 200,
    headers: javascript,
    body: "ran.push(document.currentScript?.src.split('?')[1] ?? 'a file without an address');",
  },
  '/track': { status: 204, headers: {}, body: '' },
  '/frame': {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: '<!doctype html><title>Map</title><p>A map</p>',
  },
  '/pixel.svg': {
    status: 200,
    headers: { 'content-type': 'image/svg+xml' },
    body: '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
  },
}

export const assetOf = (path: string): Asset | undefined => assets[path]

/** The requests that only a granted category makes. */
export const isTracking = (url: string) =>
  ['/tracker.js', '/mark.js', '/track', '/frame'].includes(new URL(url).pathname)
