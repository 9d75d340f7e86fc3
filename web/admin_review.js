// SPDX-License-Identifier: Apache-2.0
// What is looked through in the back office: products that show the same, evaluations and trainings with their reports, models.
import { call, getJson, keyHeaders, showImage } from './api.js';
import { make, money, number, say, table, when } from './admin.js';
import { PICTURE, dropPlace, ended, kindOf, nameOf, upload, watch } from './admin_jobs.js';
import { t } from './texts.js';

const PAIRS = 10;

// ---- duplicates ----

// Whether both products of a pair stay is kept in the shop, for everybody.
const pairPath = pair => `/v1/duplicates/${encodeURIComponent(pair.first.id)}/${encodeURIComponent(pair.second.id)}`;
const keep = pair => call(pairPath(pair), { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ pictures: [pair.first.picture, pair.second.picture] }) });
const askAgain = pair => call(pairPath(pair), { method: 'DELETE' });

function side(product, remove) {
  const title = product.title ?? product.id, img = make('img', { alt: title, loading: 'lazy' });
  showImage(img, product.picture);
  const link = make('a', { href: `/#/product/${encodeURIComponent(product.id)}`, textContent: title });
  return make('figure', { className: 'twin' }, img, make('figcaption', {}, link, make('code', { textContent: product.id }),
    make('span', { textContent: [product.category, product.brand, money(product)].filter(Boolean).join(' · ') })),
  make('button', { type: 'button', className: 'small', textContent: t('delete'), ariaLabel: t('delete-name', `${title} (${product.id})`), onclick: remove }));
}

export async function showDuplicates(view, signal) {
  let offset = 0;
  const place = make('div', {}), bits = make('select', { id: 'bits' }, ...[['0', 'bits-0'], ['3', 'bits-3'], ['8', 'bits-8']].map(([value, name]) => make('option', { value, textContent: t(name) })));
  const which = make('select', { id: 'which' }, ...[['false', 'pairs-open'], ['true', 'pairs-kept']].map(([value, name]) => make('option', { value, textContent: t(name) })));
  bits.value = '3';
  const draw = async focus => {
    const page = await getJson(`/v1/duplicates?bits=${bits.value}&kept=${which.value}&top=${PAIRS}&offset=${offset}`), pairs = page.duplicates, kept = which.value === 'true';
    if (signal.aborted) return;
    if (!pairs.length && offset > 0) { // what was there has gone meanwhile
      offset = Math.max(0, offset - PAIRS);
      await draw(focus);
      return;
    }
    let left = pairs.length; // of this page: what goes moves the next one up
    const gone = async (panel, act) => {
      try {
        await act();
        left--;
        const next = panel.nextElementSibling ?? panel.previousElementSibling;
        panel.remove();
        if (next?.querySelector('button')) next.querySelector('button').focus(); else await draw(true);
      } catch (problem) {
        say(problem);
      }
    };
    const show = pair => {
      const panel = make('section', { className: 'panel pair', ariaLabel: t('pair-of', pair.first.title ?? pair.first.id, pair.second.title ?? pair.second.id) });
      const remove = product => () => {
        if (confirm(t('delete-sure', product.title ?? product.id))) gone(panel, async () => { await call(`/v1/products/${encodeURIComponent(product.id)}`, { method: 'DELETE' }); say(t('deleted', product.id)); });
      };
      panel.append(make('p', { className: 'note', textContent: [pair.exact ? t('same-bytes') : t('same-look', pair.bits), pair.pictures > 1 ? t('shared', pair.pictures) : ''].filter(Boolean).join(' · ') }),
        make('div', { className: 'twins' }, side(pair.first, remove(pair.first)), side(pair.second, remove(pair.second))),
        make('button', { type: 'button', className: 'small', textContent: t(kept ? 'ask-again' : 'keep-both'), onclick: () => gone(panel, async () => { await (kept ? askAgain : keep)(pair); say(t(kept ? 'asked-again' : 'kept')); }) }));
      return panel;
    };
    const turn = (name, by, possible) => make('button', { type: 'button', className: 'small', textContent: t(name), disabled: !possible, onclick: () => { offset = Math.max(0, offset + by()); draw(true).catch(say); } });
    place.replaceChildren(...(pairs.length ? [make('div', { className: 'pairs' }, ...pairs.map(show))]
      : [make('div', { className: 'empty' }, make('h2', { textContent: t(kept ? 'none-kept' : 'no-duplicates') }), make('p', { textContent: t('no-duplicates-text') }))]),
    ...(page.matched > PAIRS || offset > 0 ? [make('div', { className: 'pager' }, t('range', offset + 1, offset + page.duplicates.length, number(page.matched)), turn('previous', () => -PAIRS, offset > 0), turn('next', () => left, offset + PAIRS < page.matched))] : []));
    if (focus) place.querySelector('button')?.focus();
  };
  bits.onchange = which.onchange = () => { offset = 0; draw().catch(say); };
  view.replaceChildren(make('div', { className: 'toolbar' }, make('label', {}, t('closeness'), bits), make('label', {}, t('which-pairs'), which)), place);
  await draw();
}

// ---- reports ----

// A page that needs a key cannot be a link: it is fetched with it, and saved.
function reportLink(job, name) {
  const path = `/v1/jobs/${job.id}/report`;
  if (!keyHeaders().Authorization) return make('a', { href: path, target: '_blank', rel: 'noopener', textContent: t('report'), ariaLabel: t('report-of', name) });
  return make('button', { type: 'button', textContent: t('save-report'), ariaLabel: t('report-of', name), onclick: async () => {
    try {
      const link = make('a', { href: URL.createObjectURL(await (await call(path)).blob()), download: `${job.kind}-${job.id}.html` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch (problem) {
      say(problem);
    }
  } });
}

const share = value => (value == null ? '' : value.toFixed(3));
function measures(job) {
  const result = job.result ?? {};
  if (job.kind === 'eval') return ['recall@1', 'recall@5', 'recall@10', 'map'].filter(name => result[name] != null).map(name => `${t(name)} ${share(result[name])}`).join(' · ');
  const parts = [];
  if (result.recall_before != null) parts.push(`${t('recall')} ${share(result.recall_before)} → ${share(result.recall_after)}`);
  if (result.promoted != null) parts.push(t(result.promoted ? 'is-promoted' : 'is-not-promoted'));
  return parts.join(' · ') || job.detail || '';
}

function evaluation(runs, signal) {
  let files = [];
  const list = make('ul', { className: 'files' });
  const start = make('button', { type: 'button', className: 'primary', textContent: t('start-eval'), hidden: true });
  const isList = ({ path }) => /\.csv$/i.test(path);
  const take = chosen => {
    files = files.concat(chosen.filter(one => isList(one) || PICTURE.test(one.path)));
    // A catalogue beside the queries is none of them: the list that is called so goes first.
    const lists = files.filter(isList), named = lists.filter(({ path }) => /(^|\/)queries\.csv$/i.test(path));
    if (named.length === 1) files = files.filter(one => !isList(one) || one === named[0]);
    const one = files.filter(isList), pictures = files.length - one.length;
    list.replaceChildren(...one.map(({ path }) => make('li', { textContent: t('queries-file', path) })), ...(pictures ? [make('li', { textContent: t('pictures', pictures) })] : []));
    start.hidden = one.length !== 1;
    say(one.length === 1 || !chosen.length ? '' : t(one.length ? 'two-queries' : 'no-queries'));
  };
  start.onclick = async () => {
    const form = new FormData(), { path, file } = files.find(isList), base = path.slice(0, path.lastIndexOf('/') + 1);
    const wanted = await file.text(); // only photos that it names are sent
    form.append('kind', 'eval');
    form.append('queries', file, file.name);
    for (const one of files.filter(other => !isList(other))) {
      const name = one.path.startsWith(base) ? one.path.slice(base.length) : one.path;
      if (wanted.includes(name)) form.append('image', one.file, name);
    }
    start.disabled = true;
    try {
      const job = await upload(form, part => say(t('sending', Math.round(part * 100))));
      say('');
      files = [];
      take([]);
      runs.prepend(watch(job, signal));
    } catch (problem) {
      say(problem);
    }
    start.disabled = false;
  };
  return dropPlace({ hint: 'drop-queries', note: 'queries-text' }, take, list, make('div', { className: 'actions' }, start));
}

const RECIPE = { from: 'vitrine-s', label: 'category', epochs: 5, lr: 0.01 };
function training(runs, signal, readOnly) {
  const recipe = make('textarea', { id: 'recipe', rows: 7, spellcheck: false, value: JSON.stringify(RECIPE, null, 2) });
  const form = make('form', { className: 'panel run' }, make('p', { className: 'note', textContent: t('train-text') }), make('label', {}, t('recipe'), recipe),
    make('div', { className: 'actions' }, make('button', { className: 'primary', textContent: t('start-train'), disabled: readOnly })));
  form.onsubmit = async event => {
    event.preventDefault();
    let body;
    try { body = JSON.stringify({ kind: 'train', recipe: JSON.parse(recipe.value) }); } catch { say(t('bad-recipe')); return; }
    try {
      const job = await (await call('/v1/jobs', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).json();
      say('');
      runs.prepend(watch(job, signal));
    } catch (problem) {
      say(problem);
    }
  };
  return form;
}

export async function showReports(view, signal) {
  const { jobs } = await getJson('/v1/jobs');
  const info = await getJson('/v1/status').catch(() => null), readOnly = info != null && !info.service.jobs;
  const measured = jobs.filter(job => job.kind === 'eval' || job.kind === 'train'), runs = make('div', {});
  runs.append(...measured.filter(job => !ended(job)).map(job => watch(job, signal)));
  const past = measured.filter(ended), rows = past.map(job => [nameOf(job), when(job.ended_ms), measures(job), job.report ? reportLink(job, `${kindOf(job)}, ${when(job.ended_ms)}`) : '']);
  view.replaceChildren(...(readOnly ? [make('div', { className: 'empty' }, make('p', { textContent: t('read-only') }))] : [
    make('h2', { textContent: t('evaluate') }), evaluation(runs, signal), make('h2', { className: 'below', textContent: t('train') }), training(runs, signal, readOnly), runs]),
  make('h2', { className: 'below', textContent: t('reports') }),
  rows.length ? table([t('name'), t('ended'), t('result'), ''], rows, t('reports')) : make('div', { className: 'empty' }, make('p', { textContent: t('no-reports') })));
}

// ---- models ----

export async function showModels(view) {
  const { models } = await getJson('/v1/models');
  const rows = models.map(model => [model.name, make('span', { className: `badge ${model.state === 'serving' ? 'done' : ''}`, textContent: t(`model-${model.state}`) }), number(model.dimension),
    model.file ? make('code', { textContent: model.file }) : t('built-in'), make('code', { textContent: `${model.fingerprint.slice(0, 16)}…`, title: model.fingerprint })]);
  view.replaceChildren(table([t('name'), t('state'), t('dimension'), t('file'), t('fingerprint')], rows, t('models')), make('p', { className: 'note below', textContent: t('models-text') }));
}
