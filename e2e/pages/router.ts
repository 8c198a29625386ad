/** A client router as Turbo and its like are: it fetches the next page and swaps the body, and the document stays. */
import type { At, Part } from './page.js'
import { script } from './parts.js'

/** `swap('/next')` fulfils when the body of that page is this one's. Parsed by the browser, so Trusted Types have no say. */
export const router: Part = (at: At) =>
  script(`
    const { nonce } = document.currentScript;
    window.swap = (path) => new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('GET', path);
      request.responseType = 'document';
      request.setRequestHeader('page-nonce', nonce);
      request.onerror = reject;
      request.onload = () => {
        document.documentElement.replaceChild(document.adoptNode(request.response.body), document.body);
        history.pushState(null, '', path);
        resolve();
      };
      request.send();
    });
  `)(at)
