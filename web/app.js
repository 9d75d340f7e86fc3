// SPDX-License-Identifier: Apache-2.0
// The shop window: a photo, or the whole shop, as a grid that filters narrow down.
import { Problem, getAnswer, getJson, search, showImage } from './api.js';
import { Crop } from './crop.js';
import { note, takeEvents, watch } from './events.js';
import { language, t } from './texts.js';

const PAGE = 24, PHOTO_PX = 1280;
const $ = id => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter(child => child != null));
  return node;
};

const state = { photo: null, likes: [], chosen: new Map(), price: [null, null], words: '', sort: '', offset: 0, names: [] };
const crop = new Crop($('crop'), () => refresh());
let running = null;

const isVisual = () => state.photo != null || state.likes.length > 0;
const isSearch = () => isVisual() || state.words !== '';
const quote = text => `'${String(text).replaceAll("'", "''")}'`;
const column = name => `"${name.replaceAll('"', '""')}"`;

function where() {
  const terms = [];
  for (const [name, values] of state.chosen)
    if (values.size) terms.push(`${column(name)} IN (${[...values].map(quote).join(', ')})`);
  if (state.price[0] != null) terms.push(`price >= ${state.price[0]}`);
  if (state.price[1] != null) terms.push(`price <= ${state.price[1]}`);
  return terms.join(' AND ');
}

function money(product) {
  if (product.price == null) return '';
  const options = product.currency ? { style: 'currency', currency: product.currency } : { minimumFractionDigits: 2 };
  try {
    return new Intl.NumberFormat(document.documentElement.lang, options).format(product.price);
  } catch {
    return `${product.price} ${product.currency ?? ''}`;
  }
}

function picture(hash, alt) {
  const img = make('img', { alt, loading: 'lazy', decoding: 'async' });
  showImage(img, hash);
  return img;
}

// ---- cards ----

// found: { product, similarity, image, shares, search, position } of a search, or a product alone.
function card(found, tools) {
  const { product, similarity, image, shares } = found;
  const tile = make('div', { className: 'tile' }, picture(image ?? product.images[0]?.hash, ''));
  if (similarity != null) {
    const percent = Math.round(Math.max(0, similarity) * 100);
    const badge = make('span', { className: 'match', textContent: `${percent} %` });
    badge.setAttribute('aria-label', t('similarity', percent));
    tile.append(badge);
  }
  const words = make('div', { className: 'words' },
    make('span', { className: 'name', textContent: product.title ?? product.id }),
    make('div', { className: 'under' }, make('span', { className: 'price', textContent: money(product) }),
      make('span', { textContent: product.brand ?? '' })));
  const open = make('button', { className: 'open', type: 'button', onclick: () => { note('click', found); location.hash = `#/product/${encodeURIComponent(product.id)}`; } }, tile, words);
  const node = make('li', { className: 'card' }, open);
  watch(node, found);
  const button = (name, shown, onclick) => make('button', { type: 'button', textContent: t(shown), ariaLabel: t(name), onclick });
  if (tools)
    node.append(make('div', { className: 'tools' },
      button('like', isVisual() ? 'more-short' : 'like', () => like(product, 1)),
      isVisual() ? button('unlike', 'less-short', () => like(product, -0.5)) : null,
      shares ? make('button', { type: 'button', textContent: t('why'), onclick: () => showWhy(found) }) : null));
  return node;
}

function like(product, weight) {
  state.likes = state.likes.filter(one => one.product !== product.id);
  state.likes.push({ product: product.id, weight, title: product.title, hash: product.images[0]?.hash });
  if ($('product').open) $('product').close();
  refresh();
  $('search').scrollIntoView({ block: 'start' });
}

function drawLikes() {
  $('likes').replaceChildren(...state.likes.map(one => {
    const chip = make('button', { type: 'button', className: one.weight < 0 ? 'chip less' : 'chip' }, picture(one.hash, ''),
      make('span', { textContent: `${one.weight < 0 ? '−' : '+'} ${one.title ?? one.product}` }), make('span', { ariaHidden: 'true', textContent: '×' }));
    chip.setAttribute('aria-label', `${t(one.weight < 0 ? 'unlike' : 'like')}: ${one.title ?? one.product}. ${t('remove')}`);
    chip.onclick = () => { state.likes = state.likes.filter(other => other !== one); refresh(); };
    return chip;
  }));
}

// The results of an answer as cards; `before`: how many came on the pages before.
const cardsOf = (answer, before, tools) =>
  answer.results.map((one, i) => card({ ...one, search: answer.search, position: before + i + 1 }, tools));

// ---- filters ----

function drawFacets(facets) {
  const open = document.activeElement?.dataset?.facet;
  const boxes = facets.filter(facet => facet.name !== 'price' && facet.values.length > 0).map(facet => {
    const box = make('fieldset', {}, make('legend', { textContent: t(facet.name) }));
    const chosen = state.chosen.get(facet.name) ?? new Set();
    const values = facet.values.map(one => one.value);
    const missing = [...chosen].filter(value => !values.includes(value)).map(value => ({ value, products: 0 }));
    for (const { value, products } of [...facet.values, ...missing]) {
      const input = make('input', { type: 'checkbox', checked: chosen.has(value) });
      input.dataset.facet = `${facet.name}=${value}`;
      input.onchange = () => {
        if (input.checked) chosen.add(value); else chosen.delete(value);
        state.chosen.set(facet.name, chosen);
        refresh();
      };
      box.append(make('label', { className: 'value' }, input, make('span', { textContent: value, title: value }), make('small', { textContent: products })));
    }
    return box;
  });
  const price = facets.find(facet => facet.name === 'price');
  if (price?.minimum != null || state.price.some(bound => bound != null)) {
    const field = (side, placeholder) => {
      const input = make('input', { type: 'number', inputMode: 'decimal', min: 0, step: 'any', placeholder: placeholder ?? '', value: state.price[side] ?? '' });
      input.dataset.facet = `price=${side}`;
      input.onchange = () => { state.price[side] = input.value === '' ? null : Number(input.value); refresh(); };
      return make('label', {}, t(side ? 'to' : 'from'), input);
    };
    boxes.unshift(make('fieldset', {}, make('legend', { textContent: t('price') }),
      make('div', { className: 'range' }, field(0, price?.minimum), field(1, price?.maximum))));
  }
  if (where()) boxes.push(make('button', { type: 'button', textContent: t('reset'), onclick: resetFilters }));
  $('facets').replaceChildren(...boxes);
  $('filters').hidden = boxes.length === 0;
  document.querySelector('.columns').classList.toggle('plain', boxes.length === 0);
  if (open) [...$('facets').querySelectorAll('input')].find(input => input.dataset.facet === open)?.focus();
}

function resetFilters() {
  state.chosen.clear();
  state.price = [null, null];
  refresh();
}

function drawSort() {
  const first = isVisual() ? 'order-like' : isSearch() ? 'order-words' : 'order-new';
  const orders = [['', first], ['price', 'order-low'], ['-price', 'order-high'], ['title', 'order-title']];
  $('sort').replaceChildren(...orders.map(([value, name]) => make('option', { value, textContent: t(name), selected: value === state.sort })));
}

// ---- asking and showing ----

async function ask(signal) {
  const facets = [...state.names, 'price'];
  if (isSearch()) {
    const options = { top: PAGE, explain: true, offset: state.offset, facets, facet_top: 8, likes: state.likes.map(({ product, weight }) => ({ product, weight })) };
    if (where()) options.where = where();
    if (state.words) options.text = state.words;
    if (state.sort) options.sort = state.sort;
    const box = state.photo && crop.pixels();
    if (box) options.crop = box;
    const answer = await search(state.photo, options, signal);
    return { ...answer, cards: cardsOf(answer, options.offset, true) };
  }
  const query = new URLSearchParams({ top: PAGE, offset: state.offset, facets: facets.join(','), facet_top: 8 });
  if (where()) query.set('where', where());
  if (state.sort) query.set('sort', state.sort);
  const answer = await getJson(`/v1/products?${query.toString().replaceAll('+', '%20')}`);
  return { ...answer, cards: answer.products.map(product => card({ product }, true)) };
}

async function refresh(more = false) {
  running?.abort();
  const mine = running = new AbortController();
  if (!more) state.offset = 0;
  document.body.classList.toggle('searching', isVisual());
  $('query').hidden = !isVisual();
  $('crop').hidden = $('whole').hidden = !state.photo;
  document.querySelector('.query .hint').hidden = !state.photo;
  $('results-title').textContent = t(isVisual() ? 'found' : isSearch() ? 'found-words' : 'all');
  drawSort();
  drawLikes();
  $('status').className = 'status';
  $('progress').hidden = false;
  $('status').textContent = t('searching');
  try {
    const answer = await ask(mine.signal);
    if (mine !== running) return;
    if (more) $('grid').append(...answer.cards); else $('grid').replaceChildren(...answer.cards);
    drawFacets(answer.facets);
    const shown = $('grid').children.length;
    $('status').textContent = t('matched', shown, answer.matched);
    $('more').hidden = shown >= answer.matched || answer.cards.length < PAGE;
    $('empty').hidden = shown > 0;
    if (!shown) $('empty').replaceChildren(make('h3', { textContent: t(isVisual() ? 'none' : 'none-words') }), make('p', { textContent: t('none-text') }),
      ...(where() ? [make('button', { type: 'button', textContent: t('reset'), onclick: resetFilters })] : []));
  } catch (problem) {
    if (mine === running) fail(problem);
  } finally {
    if (mine === running) $('progress').hidden = true;
  }
}

function fail(problem) {
  $('status').className = 'status bad';
  $('status').textContent = problem instanceof Problem ? `${t('failed')}: ${problem.message}` : t('failed');
}

// ---- photos ----

// Small enough to travel fast, upright, and without what a camera writes beside the picture.
async function shrink(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, PHOTO_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = make('canvas', { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const draw = canvas.getContext('2d');
  draw.fillStyle = '#fff';
  draw.fillRect(0, 0, canvas.width, canvas.height);
  draw.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.92));
}

let shownUrl = '';
async function take(files) {
  const file = [...files].find(one => one.type.startsWith('image/'));
  if (!file) return;
  try {
    state.photo = await shrink(file);
  } catch {
    $('status').className = 'status bad';
    $('status').textContent = t('no-image');
    return;
  }
  URL.revokeObjectURL(shownUrl);
  shownUrl = URL.createObjectURL(state.photo);
  state.likes = [];
  await crop.show(shownUrl);
  refresh();
}

function startOver() {
  state.words = $('words').value = '';
  state.photo = null;
  state.likes = [];
  refresh();
}

// ---- one product ----

async function showProduct(id) {
  const dialog = $('product');
  const [product, similar] = await Promise.all([getJson(`/v1/products/${encodeURIComponent(id)}`),
    getAnswer(`/v1/products/${encodeURIComponent(id)}/similar?top=8`)]);
  const main = picture(product.images[0]?.hash, product.title ?? '');
  const thumbs = product.images.length < 2 ? null : make('div', { className: 'thumbs' }, ...product.images.map((image, i) => {
    const button = make('button', { type: 'button', ariaPressed: String(i === 0), ariaLabel: `${i + 1}` }, picture(image.hash, ''));
    button.onclick = () => {
      showImage(main, image.hash);
      for (const other of thumbs.children) other.ariaPressed = String(other === button);
    };
    return button;
  }));
  const facts = Object.entries(product.attributes).flatMap(([name, value]) =>
    [make('dt', { textContent: t(name) }), make('dd', { textContent: Array.isArray(value) ? value.join(', ') : value })]);
  const close = make('button', { type: 'button', className: 'close quiet', textContent: '×', ariaLabel: t('close'), onclick: () => dialog.close() });
  const safe = /^https?:\/\//.test(product.link ?? '');
  dialog.replaceChildren(make('div', { className: 'sheet' }, close,
    make('div', { className: 'detail' },
      make('div', {}, make('div', { className: 'tile' }, main), thumbs),
      make('div', { className: 'facts' }, make('span', { className: 'path', textContent: product.category ?? '' }),
        make('h2', { id: 'product-title', textContent: product.title ?? product.id }),
        make('span', { className: 'price', textContent: money(product) }),
        make('p', { textContent: product.description ?? '' }), make('dl', {}, ...facts),
        make('div', { className: 'actions' },
          make('button', { type: 'button', className: 'primary', textContent: t('like'), onclick: () => like(product, 1) }),
          safe ? make('a', { className: 'button', href: product.link, rel: 'noopener noreferrer', target: '_blank', textContent: t('shop') }) : null))),
    similar.results.length ? make('h3', { textContent: t('similar') }) : null,
    make('ul', { className: 'row' }, ...cardsOf(similar, 0, false))));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

// What the photo and each example add to the similarity.
function showWhy({ product, similarity, shares }) {
  const dialog = $('product');
  const percent = share => `${share < 0 ? '−' : '+'}${Math.abs(Math.round(share * 100))} %`;
  const rows = shares.map(share => {
    const example = state.likes.find(one => one.product === share.product);
    const shown = example ? picture(example.hash, '') : make('img', { src: shownUrl, alt: '' });
    const bar = make('meter', { min: 0, max: 1, value: Math.min(1, Math.abs(share.similarity)), ariaLabel: percent(share.similarity) });
    return make('li', {}, shown, make('span', { textContent: example ? example.title ?? example.product : t('photo') }), bar,
      make('b', { textContent: percent(share.similarity) }));
  });
  const close = make('button', { type: 'button', className: 'close quiet', textContent: '×', ariaLabel: t('close'), onclick: () => dialog.close() });
  dialog.replaceChildren(make('div', { className: 'sheet' }, close,
    make('h2', { id: 'product-title', textContent: t('why-title', product.title ?? product.id) }),
    make('p', { className: 'hint', textContent: t('why-text', Math.round(similarity * 100)) }), make('ul', { className: 'shares' }, ...rows)));
  dialog.showModal();
}

function route() {
  const found = location.hash.match(/^#\/product\/(.+)$/);
  if (found) showProduct(decodeURIComponent(found[1])).catch(fail);
  else if ($('product').open) $('product').close();
}

// ---- start ----

$('choose').onclick = $('again').onclick = () => $('file').click();
$('camera').onclick = () => $('shot').click();
$('file').onchange = $('shot').onchange = event => { take(event.target.files); event.target.value = ''; };
$('clear').onclick = startOver;
$('whole').onclick = () => { crop.all(); refresh(); };
$('words-form').onsubmit = event => { event.preventDefault(); state.words = $('words').value.trim(); refresh(); };
$('words').addEventListener('search', () => { if ($('words').value === '' && state.words) { state.words = ''; refresh(); } });
$('more').onclick = () => { state.offset = $('grid').children.length; refresh(true); };
$('sort').onchange = () => { state.sort = $('sort').value; refresh(); };
$('product').addEventListener('close', () => { if (location.hash.startsWith('#/product/')) history.replaceState(null, '', '#/'); });
$('product').addEventListener('click', event => { if (event.target === $('product')) $('product').close(); });
$('language').onclick = () => { language(t('other')); translate(); refresh(); };
document.querySelector('.brand').onclick = () => startOver();
addEventListener('hashchange', route);
addEventListener('paste', event => take(event.clipboardData?.files ?? []));
for (const name of ['dragenter', 'dragover'])
  addEventListener(name, event => { event.preventDefault(); document.body.classList.add('over'); });
addEventListener('dragleave', event => { if (!event.relatedTarget) document.body.classList.remove('over'); });
addEventListener('drop', event => {
  event.preventDefault();
  document.body.classList.remove('over');
  take(event.dataTransfer.files);
});

let info = { products: 0, attributes: [] };
function translate() {
  $('language').textContent = t('language');
  $('language').lang = t('other');
  $('count').textContent = t('products', info.products);
}

if (matchMedia('(max-width: 760px)').matches) $('filter-box').open = false;
language();
try {
  info = await getJson('/v1/info');
  takeEvents(info.events);
  state.names = ['category', 'brand', ...info.attributes].slice(0, 6);
} catch (problem) {
  fail(problem);
}
translate();
await refresh();
route();
