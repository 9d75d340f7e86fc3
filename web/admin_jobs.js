// SPDX-License-Identifier: Apache-2.0
// Jobs in the back office: a feed that is dropped, what a job does as it does it, what it left out.
import { Problem, call, getJson, keyHeaders } from './api.js';
import { bytes, duration, field, make, number, say, table, when } from './admin.js';
import { t } from './texts.js';

const REJECTS = 20;
const FEED = /\.(csv|tsv|jsonl|ndjson)$/i;
export const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|bmp|avif|hei[cf]|jxl)$/i;
export const ended = job => !['queued', 'running'].includes(job.state);
export const kindOf = job => t(`kind-${job.kind}`);
export const nameOf = job => (job.name ? `${kindOf(job)}: ${job.name}` : kindOf(job));
const stateOf = job => (job.cancelling ? t('cancelling') : t(job.state === 'failed' ? 'failed_state' : job.state));
const badge = job => make('span', { className: `badge ${job.state}`, textContent: stateOf(job) });

async function cancel(id) {
  try {
    await call(`/v1/jobs/${id}`, { method: 'DELETE' });
  } catch (problem) {
    say(problem);
  }
}

// ---- what a job does ----

// Calls back with the job as it is, and again whenever it changed, until it has ended.
async function follow(id, signal, shown) {
  const answer = await call(`/v1/jobs/${id}/events`, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value).split('\n\n');
    text = events.pop();
    for (const event of events) {
      const line = event.split('\n').find(one => one.startsWith('data: '));
      if (line) shown(JSON.parse(line.slice(6)));
    }
  }
}

const figureNames = { products: 'products_figure' };
const INDEX_KINDS = ['auto', 'exact', 'graph', 'ivf'];
const FRACTIONS = /^(recall.*|worst|map|mrr|loss|.*(accuracy|top5|f1|recall@\d+|loss))$/;
function figure(name, value) {
  if (name === 'index') return t(`index-${value}`);
  if (typeof value === 'string') return value;
  if (name.endsWith('_bytes')) return bytes(value);
  return FRACTIONS.test(name) ? value.toFixed(3) : number(name === 'took_s' ? Math.round(value * 10) / 10 : Math.round(value));
}
const results = ({ why, ...figures }) => make('ul', { className: 'stats' }, ...Object.entries(figures).map(([name, value]) =>
  make('li', {}, make('b', { textContent: figure(name, value) }), make('span', { textContent: t(figureNames[name] ?? (name === 'promoted' ? 'promoted_figure' : name)) }))));

function progressLine(job) {
  const parts = [t(`stage-${job.stage ?? 'import'}`)], { epoch, epochs, loss } = job.result ?? {};
  if (job.stage === 'train' && epoch != null) parts.push(t('epoch-of', epoch, epochs), `${t('loss')} ${loss.toFixed(3)}`);
  if (job.done != null) parts.push(`${job.total ? t('of', number(job.done), number(job.total)) : number(job.done)} ${t(`unit_${job.unit}`)}`);
  if (job.rate) parts.push(t('per-second', number(job.rate >= 10 ? Math.round(job.rate) : job.rate)));
  if (job.eta_s != null && job.eta_s >= 1) parts.push(t('left', duration(job.eta_s)));
  return parts.join(' · ');
}

// A panel that shows a job and goes on showing it.
export function watch(job, signal) {
  const heading = make('h2', { textContent: nameOf(job) });
  const state = make('div', { className: 'run-head' }), live = make('div', { className: 'run' }), left = make('div', {});
  const panel = make('section', { className: 'panel run', ariaLabel: nameOf(job) }, state, live, left);
  const bar = make('progress', { className: 'run-bar', ariaLabel: nameOf(job) }), line = make('p', { className: 'run-line' });
  const stop = make('button', { type: 'button', className: 'small', textContent: t('cancel'), onclick: () => { stop.disabled = true; cancel(job.id); } });
  const show = now => {
    state.replaceChildren(heading, badge(now), ...(ended(now) ? [] : [stop]));
    if (!ended(now)) {
      if (now.total) { bar.max = now.total; bar.value = now.done; } else bar.removeAttribute('value');
      line.textContent = now.state === 'queued' ? t('queued') : progressLine(now);
      live.replaceChildren(bar, line);
      return;
    }
    live.replaceChildren(...(now.detail ? [make('p', { className: now.state === 'failed' ? 'note bad' : 'note', textContent: now.detail })] : []),
      ...(now.result ? [results(now.result)] : []), ...(now.result?.why ? [make('p', { className: 'note', textContent: `${t('reason')}: ${now.result.why}` })] : []));
    if (now.kind === 'import') showRejects(now.id, left, 0).catch(say);
  };
  show(job);
  if (!ended(job)) follow(job.id, signal, show).catch(problem => { if (problem.name !== 'AbortError') say(problem); });
  return panel;
}

async function showRejects(id, place, offset) {
  const page = await getJson(`/v1/jobs/${id}/rejects?offset=${offset}&top=${REJECTS}`);
  if (!page.total) return;
  const rows = page.rejects.map(one => [number(one.line ?? 0), one.product ?? '', one.image ?? t('whole-row'), one.reason ?? one.status]);
  const turn = (name, at) => make('button', { type: 'button', className: 'small', textContent: t(name), disabled: at < 0 || at >= page.total,
    onclick: () => showRejects(id, place, at).catch(say) });
  place.replaceChildren(make('h2', { textContent: t('rejects') }),
    table([t('line'), t('product'), t('image'), t('reason')], rows, t('rejects')),
    make('div', { className: 'pager' }, t('range', offset + 1, offset + page.rejects.length, number(page.total)),
      ...(page.total > REJECTS ? [turn('previous', offset - REJECTS), turn('next', offset + REJECTS)] : [])));
}

// ---- import ----

// Sends it, so that a bar can follow: fetch does not tell how far it is.
export function upload(form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/jobs');
    for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
    request.responseType = 'json';
    request.upload.onprogress = event => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    request.onload = () => (request.status === 202 ? resolve(request.response) : reject(new Problem(request.response?.detail ?? request.statusText)));
    request.onerror = () => reject(new Problem(t('failed')));
    request.send(form);
  });
}

// Files of what was dropped, folders opened, each with its path.
async function entriesOf(transfer) {
  const found = [];
  const walk = async (entry, prefix) => {
    if (entry.isFile) {
      found.push({ path: prefix + entry.name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const one of some) await walk(one, `${prefix}${entry.name}/`);
    }
  };
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map(file => ({ path: file.name, file }));
  for (const entry of entries) await walk(entry, '');
  return found;
}

// Where files and folders are dropped or chosen: take(files) gets [{ path, file }]. What is shown of them comes after the buttons.
export function dropPlace({ id, hint, note, primary }, take, ...shown) {
  const input = make('input', { type: 'file', multiple: true, hidden: true, ...(id && { id }) }), folder = make('input', { type: 'file', hidden: true });
  folder.webkitdirectory = true;
  input.onchange = () => { take([...input.files].map(file => ({ path: file.name, file }))); input.value = ''; };
  folder.onchange = () => { take([...folder.files].map(file => ({ path: file.webkitRelativePath, file }))); folder.value = ''; };
  const drop = make('div', { className: 'drop' }, make('p', { textContent: t(hint) }),
    make('div', { className: 'actions' }, make('button', { type: 'button', textContent: t('choose-feed'), onclick: () => input.click(), ...(primary && { className: 'primary' }) }),
      make('button', { type: 'button', textContent: t('choose-folder'), onclick: () => folder.click() })),
    ...shown, make('p', { className: 'note', textContent: t(note) }), input, folder);
  const over = on => event => { event.preventDefault(); drop.classList.toggle('over', on); };
  drop.ondragover = over(true);
  drop.ondragleave = over(false);
  drop.ondrop = async event => { over(false)(event); take(await entriesOf(event.dataTransfer)); };
  return drop;
}

export async function showImport(view, signal) {
  const { jobs } = await getJson('/v1/jobs');
  const info = await getJson('/v1/status').catch(() => null);
  if (info && !info.service.jobs) {
    view.replaceChildren(make('div', { className: 'empty' }, make('p', { textContent: t('read-only') })));
    return;
  }
  let files = [];
  const runs = make('div', {}), list = make('ul', { className: 'files' }), bar = make('progress', { className: 'run-bar', hidden: true, max: 1, ariaLabel: t('import') });
  const start = make('button', { type: 'button', className: 'primary', textContent: t('start'), hidden: true });
  const discard = make('button', { type: 'button', className: 'quiet', textContent: t('discard'), hidden: true });
  const take = chosen => {
    files = files.concat(chosen.filter(({ path }) => FEED.test(path) || PICTURE.test(path)));
    const feeds = files.filter(({ path }) => FEED.test(path)), pictures = files.length - feeds.length;
    list.replaceChildren(...feeds.map(({ path }) => make('li', { textContent: t('feed', path) })), ...(pictures ? [make('li', { textContent: t('pictures', pictures) })] : []));
    start.hidden = feeds.length !== 1;
    discard.hidden = !files.length;
    say(feeds.length > 1 ? t('two-feeds') : feeds.length || !chosen.length ? '' : t('no-feed'));
  };
  const reset = () => { files = []; take([]); };
  discard.onclick = reset;
  start.onclick = async () => {
    const form = new FormData(), { path, file } = files.find(one => FEED.test(one.path));
    const base = path.slice(0, path.lastIndexOf('/') + 1); // pictures are named from where the feed lies
    form.append('kind', 'import');
    form.append('feed', file, file.name);
    for (const one of files.filter(other => !FEED.test(other.path)))
      form.append('image', one.file, one.path.startsWith(base) ? one.path.slice(base.length) : one.path);
    start.disabled = true;
    bar.hidden = false;
    try {
      const job = await upload(form, part => { bar.value = part; say(t('sending', Math.round(part * 100))); });
      say('');
      reset();
      runs.prepend(watch(job, signal));
    } catch (problem) {
      say(problem);
    }
    start.disabled = false;
    bar.hidden = true;
  };
  const drop = dropPlace({ id: 'feed-file', hint: 'drop-feed', note: 'feed-text', primary: true }, take, list, bar, make('div', { className: 'actions' }, start, discard));
  runs.append(...jobs.filter(job => job.kind === 'import' && !ended(job)).map(job => watch(job, signal)));
  view.replaceChildren(drop, runs);
}

// ---- the list ----

function took(job) {
  if (!job.started_ms) return '';
  return duration(((job.ended_ms ?? Date.now()) - job.started_ms) / 1000);
}

function brief(job) {
  if (job.state === 'running') return progressLine(job);
  if (job.detail) return job.detail;
  const { rows, rejected, vectors, recall, index, codec } = job.result ?? {};
  if (job.kind === 'eval' || job.kind === 'train') return Object.entries(job.result ?? {}).filter(([name]) => name.startsWith('recall')).map(([name, value]) => `${t(name)} ${value.toFixed(3)}`).join(' · ');
  if (rows != null) return `${t('rows')}: ${number(rows)}${rejected ? ` · ${t('rejected')}: ${number(rejected)}` : ''}`;
  if (recall != null) return `${t('recall')}: ${recall.toFixed(3)}`;
  return [index && `${t(`index-${index}`)}, ${codec}`, vectors != null && `${t('vectors')}: ${number(vectors)}`].filter(Boolean).join(' · ');
}

function showJob(job, signal) {
  const dialog = document.getElementById('dialog');
  const close = make('button', { type: 'button', className: 'close quiet', textContent: '×', ariaLabel: t('close'), onclick: () => dialog.close() });
  const panel = watch(job, signal);
  panel.className = 'run';
  panel.querySelector('h2').id = 'dialog-title';
  dialog.replaceChildren(make('div', { className: 'sheet' }, close, panel));
  dialog.showModal();
}

export async function showJobs(view, signal) {
  const place = make('div', {});
  const begin = async job => {
    try {
      await call('/v1/jobs', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(job) });
      say('');
      await draw();
    } catch (problem) {
      say(problem);
    }
  };
  let drawn = '';
  const draw = async () => {
    const { jobs } = await getJson('/v1/jobs');
    const now = JSON.stringify(jobs);
    if (now === drawn || signal.aborted) return;
    drawn = now;
    const focus = document.activeElement?.dataset?.key;
    const button = (job, name, onclick) => {
      const node = make('button', { type: 'button', textContent: t(name), ariaLabel: t(`${name}-name`, nameOf(job)), onclick });
      node.dataset.key = `${name} ${job.id}`;
      return node;
    };
    place.replaceChildren(jobs.length ? table([t('name'), t('state'), t('started'), t('took'), t('result'), ''],
      jobs.map(job => [nameOf(job), badge(job), job.started_ms ? when(job.started_ms) : '', took(job), brief(job),
        make('div', { className: 'actions' }, button(job, 'show', () => showJob(job, signal)),
          ended(job) || job.cancelling ? null : button(job, 'cancel', () => cancel(job.id).then(draw)))]), t('jobs'))
      : make('div', { className: 'empty' }, make('h2', { textContent: t('no-jobs') }), make('p', { textContent: t('no-jobs-text') })));
    if (focus) [...place.querySelectorAll('button')].find(node => node.dataset.key === focus)?.focus();
  };
  const index = make('select', {}, ...INDEX_KINDS.map(value => make('option', { value, textContent: t(`index-${value}`) })));
  const memory = make('input', { type: 'number', min: 1, max: 2 ** 30, placeholder: t('index-auto') });
  const form = make('form', { className: 'toolbar' }, field(t('index-kind'), index), field(t('memory-limit'), memory), make('button', { textContent: t('build-index') }),
    make('button', { type: 'button', textContent: t('check-index'), onclick: () => begin({ kind: 'index-check' }) }));
  form.onsubmit = event => {
    event.preventDefault();
    begin({ kind: 'index-build', index: index.value, ...(memory.value && { memory_mb: Number(memory.value) }) });
  };
  view.replaceChildren(make('h2', { className: 'unseen', textContent: t('jobs') }), form, place);
  await draw();
  const again = setInterval(() => draw().catch(() => {}), 1500);
  signal.addEventListener('abort', () => clearInterval(again));
}
