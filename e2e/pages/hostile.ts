/**
 * What libraries of hosts do to every script of a page: Prototype's `toJSON` on arrays and its enumerable additions to them,
 * polyfills that replace what is there, and wrappers around JSON and fetch.
 */
export const hostileScript = `
{
  const { stringify, parse } = JSON;
  Array.prototype.toJSON = function () {
    const texts = [];
    for (let i = 0; i < this.length; i++) texts.push(stringify(this[i]));
    return '[' + texts.join(', ') + ']';
  };
  Array.prototype.each = function (call) { for (let i = 0; i < this.length; i++) call(this[i]) };
  Array.prototype.last = function () { return this[this.length - 1] };
  const from = Array.from;
  Array.from = function (source, map) { const made = from.call(this, source); return map ? made.map((one, i) => map(one, i)) : made };
  const { map, filter } = Array.prototype;
  Array.prototype.map = function (...args) { return map.apply(this, args) };
  Array.prototype.filter = function (...args) { return filter.apply(this, args) };
  JSON.stringify = function (...args) { return stringify.apply(this, args) };
  JSON.parse = function (...args) { return parse.apply(this, args) };
  const { fetch } = window;
  window.fetch = function (...args) { return fetch.apply(window, args).then((answer) => answer) };
}`
