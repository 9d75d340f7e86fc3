// SPDX-License-Identifier: Apache-2.0
// The back office: how the shop is, its products and keys, and a console. Jobs are in admin_jobs.js, what is looked
// through in admin_review.js.
import { Problem, call, getJson, keyHeaders, showImage, useKey } from './api.js';
import { adminTexts } from './admin_texts.js';
import { showImport, showJobs } from './admin_jobs.js';
import { showDuplicates, showModels, showReports } from './admin_review.js';
import { addTexts, language, t } from './texts.js';

const PAGE = 25;
const $ = id => document.getElementById(id);

export const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter(child => child != null));
  return node;
};
export const number = value => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(value);
export const when = ms => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' }).format(ms);
export function bytes(value) {
  const step = value >= 1e9 ? ['gigabyte', 1e9] : value >= 1e6 ? ['megabyte', 1e6] : ['kilobyte', 1e3];
  return new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit: step[0], maximumFractionDigits: 1 }).format(value / step[1]);
}
export function duration(seconds) {
  const steps = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const at = Math.max(0, steps.findIndex(([, size]) => seconds >= size || size === 1));
  const part = (unit, value) => new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: unit === 'second' && seconds < 10 ? 1 : 0 }).format(value);
  const [unit, size] = steps[at], whole = size === 1 ? seconds : Math.floor(seconds / size);
  const rest = at < 3 ? Math.floor((seconds - whole * size) / steps[at + 1][1]) : 0;
  return part(unit, whole) + (rest ? ` ${part(steps[at + 1][0], rest)}` : '');
}
// A text or a problem, where screen readers hear it.
export function say(what) {
  const problem = what instanceof Error;
  $('status').className = problem ? 'status bad' : 'status';
  $('status').textContent = problem ? (what instanceof Problem ? `${t('failed')}: ${what.message}` : t('failed')) : what;
}
// cells: texts or nodes; a column whose name is '' has tools.
export function table(names, rows, label) {
  const body = rows.map(row => make('tr', {}, ...row.map((cell, i) => make('td', names[i] === '' ? { className: 'tight' } : {}, cell))));
  const frame = make('div', { className: 'table', tabIndex: 0, role: 'region', ariaLabel: label },
    make('table', {}, make('thead', {}, make('tr', {}, ...names.map(name => (name === '' ? make('td', {}) : make('th', { scope: 'col', textContent: name }))))), make('tbody', {}, ...body)));
  return frame;
}
export const field = (text, input, className = '') => make('label', { className }, text, input);
const facts = (...pairs) => make('dl', {}, ...pairs.filter(([, value]) => value != null && value !== '').flatMap(([name, value]) =>
  [make('dt', { textContent: name }), make('dd', {}, value)]));
const panel = (title, ...children) => make('section', { className: 'panel' }, make('h2', { textContent: title }), ...children);

// ---- overview ----

async function showOverview(view) {
  const [status, info] = await Promise.all([getJson('/v1/status'), getJson('/v1/info')]);
  const { shop, model, index, service } = status;
  const stat = (name, value) => make('li', {}, make('b', { textContent: value }), make('span', { textContent: t(name) }));
  const most = Math.max(1, ...info.categories.map(one => one.products));
  const bars = info.categories.slice(0, 8).map(one => {
    const bar = make('i', {});
    bar.style.setProperty('--part', one.products / most);
    return make('li', {}, make('span', { textContent: one.name, title: one.name }), make('b', { textContent: number(one.products) }), bar);
  });
  const precision = model.auto_precision ? `${model.precision}: ${model.auto_precision}` : model.precision;
  view.replaceChildren(
    make('ul', { className: 'stats' }, stat('products-title', number(shop.products)), stat('images', number(shop.images)), stat('vectors', number(shop.vectors)),
      stat('database', bytes(shop.database_bytes)), stat('change', number(shop.change))),
    make('div', { className: 'panels' },
      panel(t('service'), facts([t('version'), service.version], [t('uptime'), duration(service.uptime_s)], [t('connections'), number(service.connections)],
        [t('waiting'), number(service.waiting)], [t('jobs-now'), service.jobs ? t('jobs-count', service.jobs_running, service.jobs_queued) : t('read-only')],
        [t('keys-on'), service.keys ? t('yes') : t('keys-none')])),
      panel(t('index'), facts([t('kind'), t(`index-${index.kind}`)], [t('codec'), index.codec], [t('vectors'), number(index.vectors)], [t('memory'), bytes(index.graph_bytes + index.list_bytes + index.vector_bytes)],
        [t('follows'), index.change >= index.newest_change ? t('yes') : t('behind', number(index.newest_change - index.change))], [t('snapshot'), index.snapshot.fault || t(index.snapshot.present ? 'yes' : 'no')], [t('reason'), index.auto.why])),
      panel(t('model'), facts([t('name'), model.name], [t('dimension'), number(model.dimension)], [t('precision'), precision], [t('fingerprint'), make('code', { textContent: `${model.fingerprint.slice(0, 16)}…`, title: model.fingerprint })])),
      bars.length ? panel(t('categories'), make('ul', { className: 'bars' }, ...bars)) : null));
}

// ---- products ----

const quote = text => `'${text.replaceAll("'", "''")}'`;
const like = text => `title LIKE ${quote(`%${text.replace(/[\\%_]/g, '\\$&')}%`)}`;

export function money(product) {
  if (product.price == null) return '';
  try {
    return new Intl.NumberFormat(document.documentElement.lang, product.currency ? { style: 'currency', currency: product.currency } : {}).format(product.price);
  } catch {
    return `${product.price} ${product.currency ?? ''}`;
  }
}

function showProducts(view) {
  let offset = 0;
  const words = make('input', { type: 'search', autocomplete: 'off' }), filter = make('input', { type: 'text', placeholder: t('filter-hint'), autocomplete: 'off', spellcheck: false });
  const order = make('select', {}, ...[['', 'order-new'], ['price:asc', 'order-low'], ['price:desc', 'order-high']].map(([value, name]) => make('option', { value, textContent: t(name) })));
  const place = make('div', {});
  const draw = async () => {
    const terms = [words.value && like(words.value), filter.value && `(${filter.value})`].filter(Boolean);
    const query = [`top=${PAGE}`, `offset=${offset}`];
    if (terms.length) query.push(`where=${encodeURIComponent(terms.join(' AND '))}`);
    if (order.value) query.push(`sort=${encodeURIComponent(order.value)}`);
    say('');
    try {
      const list = await getJson(`/v1/products?${query.join('&')}`);
      const rows = list.products.map(product => {
        const img = make('img', { alt: '', loading: 'lazy' });
        showImage(img, product.images[0]?.hash);
        const open = make('a', { href: `/#/product/${encodeURIComponent(product.id)}`, textContent: product.title ?? product.id });
        return [img, open, make('code', { textContent: product.id }), product.category ?? '', product.brand ?? '', money(product)];
      });
      const turn = (name, at) => make('button', { type: 'button', className: 'small', textContent: t(name), disabled: at < 0 || at >= list.matched, onclick: () => { offset = at; draw(); } });
      place.replaceChildren(...(rows.length ? [table([t('image'), t('name'), t('id'), t('category'), t('brand'), t('price')], rows, t('products-title')),
        make('div', { className: 'pager' }, make('span', { role: 'status', textContent: t('range', number(offset + 1), number(offset + rows.length), number(list.matched)) }), turn('previous', offset - PAGE), turn('next', offset + PAGE))]
        : [make('div', { className: 'empty' }, make('h2', { textContent: t('no-products') }))]));
    } catch (problem) {
      say(problem);
    }
  };
  const form = make('form', { className: 'toolbar' }, field(t('search-products'), words, 'wide'), field(t('filter'), filter, 'wide'), field(t('order'), order),
    make('button', { className: 'primary', textContent: t('apply') }));
  form.onsubmit = event => { event.preventDefault(); offset = 0; draw(); };
  order.onchange = () => { offset = 0; draw(); };
  view.replaceChildren(form, place);
  return draw();
}

// ---- keys ----

const copyButton = text => {
  const button = make('button', { type: 'button', className: 'small', textContent: t('copy') });
  button.onclick = async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = t('copied');
  };
  return button;
};

async function showKeys(view) {
  const { keys } = await getJson('/v1/keys');
  const name = make('input', { type: 'text', maxLength: 60, autocomplete: 'off' }), days = make('input', { type: 'number', min: 1, max: 36500, placeholder: t('never') });
  const rate = make('input', { type: 'number', min: 0.1, step: 'any', placeholder: t('unlimited') });
  const boxes = ['search', 'write', 'embed', 'admin'].map(scope => make('input', { type: 'checkbox', value: scope, checked: scope === (keys.length ? 'search' : 'admin') }));
  const form = make('form', { className: 'panel fields' }, field(t('name'), name), field(t('days'), days), field(t('rate'), rate),
    make('fieldset', {}, make('legend', { textContent: t('scopes') }), ...boxes.map(box => make('label', {}, box, t(`scope_${box.value}`)))),
    make('button', { className: 'primary', textContent: t('add-key') }));
  const shown = make('div', { role: 'status' });
  form.onsubmit = async event => {
    event.preventDefault();
    const wanted = { name: name.value, scopes: boxes.filter(box => box.checked).map(box => box.value) };
    if (days.value) wanted.expires_days = Number(days.value);
    if (rate.value) wanted.rate = Number(rate.value);
    try {
      const { key } = await (await call('/v1/keys', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(wanted) })).json();
      if (!keys.length) useKey(key); // the first one closes the door: we go in by it
      showSignOut();
      await showKeys(view);
      view.prepend(make('section', { className: 'panel secret', ariaLabel: t('key-made') }, make('p', { role: 'status', textContent: t('key-made') }), make('code', { id: 'new-key', textContent: key }),
        make('div', { className: 'actions' }, copyButton(() => key), make('button', { type: 'button', className: 'small', textContent: t('key-made-done'), onclick: event => event.target.closest('.secret').remove() }))));
      say('');
    } catch (problem) {
      say(problem);
    }
  };
  const day = seconds => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium' }).format(seconds * 1000);
  const revoke = key => (key.yours ? make('span', { className: 'badge', textContent: t('yours') })
    : make('button', { type: 'button', textContent: t('revoke'), ariaLabel: t('revoke-name', key.name || key.id), onclick: async () => {
      if (!confirm(t('revoke-sure', key.name || key.id))) return;
      try {
        await call(`/v1/keys/${key.id}`, { method: 'DELETE' });
        await showKeys(view);
      } catch (problem) {
        say(problem);
      }
    } }));
  const rows = keys.map(key => [key.name, make('code', { textContent: key.id }), key.scopes.map(scope => t(`scope_${scope}`)).join(', '), day(key.created_s),
    key.expires_s ? day(key.expires_s) : t('never'), key.rate ? number(key.rate) : t('unlimited'), revoke(key)]);
  view.replaceChildren(keys.length ? table([t('name'), t('id'), t('scopes'), t('created'), t('expires'), t('rate'), ''], rows, t('keys'))
    : make('div', { className: 'empty' }, make('h2', { textContent: t('no-keys') }), make('p', { textContent: t('no-keys-text') })),
  make('div', { className: 'head' }, make('h2', { textContent: t('add-key') })), form, shown);
}

// ---- console ----

const shell = text => `'${text.replaceAll("'", "'\\''")}'`;
function curlOf(options, photo) {
  const key = keyHeaders().Authorization ? ' \\\n  -H "Authorization: Bearer $VITRINE_KEY"' : '';
  const body = photo ? ` \\\n  -F image=@${shell(photo.name)} \\\n  -F options=${shell(options)}` : ` \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(options)}`;
  return `curl${key}${body} \\\n  ${location.origin}/v1/search`;
}

async function showConsole(view) {
  const first = await getJson('/v1/products?top=1');
  const request = make('textarea', { rows: 9, spellcheck: false, value: JSON.stringify({ product: first.products[0]?.id ?? '', top: 5 }, null, 2) });
  const photo = make('input', { type: 'file', accept: 'image/*' }), curl = make('pre', { tabIndex: 0, ariaLabel: t('curl'), role: 'region' }), answer = make('pre', { tabIndex: 0, ariaLabel: t('response'), role: 'region', textContent: '{ }' });
  const compact = () => { try { return JSON.stringify(JSON.parse(request.value)); } catch { return request.value.replace(/\s+/g, ' '); } };
  const draw = () => { curl.textContent = curlOf(compact(), photo.files[0]); };
  const form = make('form', { className: 'panel run' }, field(t('request'), request), field(t('photo'), photo), make('div', { className: 'actions' }, make('button', { className: 'primary', textContent: t('send') })));
  request.oninput = draw;
  photo.onchange = () => {
    if (photo.files[0]) { // a photo instead of the product that stands there
      try {
        const { product, ...rest } = JSON.parse(request.value);
        request.value = JSON.stringify(rest, null, 2);
      } catch { /* it is theirs as they typed it */ }
    }
    draw();
  };
  form.onsubmit = async event => {
    event.preventDefault();
    let body = compact(), headers = { 'Content-Type': 'application/json' };
    try { JSON.parse(body); } catch { say(new Problem(t('bad-json'))); return; }
    if (photo.files[0]) {
      const parts = new FormData();
      parts.append('image', photo.files[0]);
      parts.append('options', body);
      body = parts;
      headers = {};
    }
    const started = performance.now();
    try {
      const result = await (await call('/v1/search', { method: 'POST', headers, body })).json();
      say(t('ms', number(Math.round(performance.now() - started))));
      answer.textContent = JSON.stringify(result, null, 2);
    } catch (problem) {
      say(problem);
    }
  };
  draw();
  view.replaceChildren(form, make('div', { className: 'head' }, make('h2', { textContent: t('curl') }), copyButton(() => curl.textContent)), curl,
    make('div', { className: 'head' }, make('h2', { textContent: t('response') })), answer);
}

// ---- one view at a time ----

const views = { overview: ['overview', showOverview], import: ['import', showImport], jobs: ['jobs', showJobs], products: ['products-title', showProducts], duplicates: ['duplicates', showDuplicates], reports: ['reports', showReports], models: ['models', showModels],
  keys: ['keys', showKeys], console: ['console', showConsole] };
let leaving = new AbortController();

async function route(focus) {
  const name = views[location.hash.slice(1)] ? location.hash.slice(1) : 'overview';
  const [title, show] = views[name];
  leaving.abort();
  const mine = leaving = new AbortController();
  for (const link of $('nav').querySelectorAll('a')) {
    if (link.hash === `#${name}`) link.ariaCurrent = 'page'; else link.removeAttribute('aria-current');
  }
  $('title').textContent = t(title);
  document.title = `vitrine: ${t(title)}`;
  say(t('loading'));
  if (focus) $('content').focus({ preventScroll: true });
  const view = make('div', { id: 'view' });
  try {
    await show(view, mine.signal);
    if ($('status').textContent === t('loading')) say('');
  } catch (problem) {
    if (problem.status === 403) view.replaceChildren(make('div', { className: 'empty' }, make('p', { textContent: t('no-scope') })));
    say(problem.status === 403 ? '' : problem);
  }
  if (mine.signal.aborted) return;
  $('view').replaceWith(view);
  showSignOut();
}

function showSignOut() {
  $('sign-out').hidden = !keyHeaders().Authorization;
}

function translate() {
  $('language').textContent = t('language');
  $('language').lang = t('other');
}

$('language').onclick = () => { language(t('other')); translate(); route(); };
$('sign-out').onclick = () => { useKey(''); location.reload(); };
addEventListener('hashchange', () => { if (views[location.hash.slice(1)]) route(true); else $('content').focus(); });
addEventListener('dragover', event => event.preventDefault());
addEventListener('drop', event => event.preventDefault());
$('dialog').addEventListener('click', event => { if (event.target === $('dialog')) $('dialog').close(); });

addTexts(adminTexts);
language();
translate();
await route();
