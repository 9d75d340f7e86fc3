// SPDX-License-Identifier: Apache-2.0
// The service, as the page uses it. A key is asked for when the service wants one.
const keyBox = document.getElementById('key-box');
let key = sessionStorage.getItem('key') || '';

export class Problem extends Error {}

function askForKey() {
  return new Promise(resolve => {
    const field = document.getElementById('key');
    field.value = '';
    keyBox.showModal();
    keyBox.addEventListener('close', () => {
      key = field.value.trim();
      sessionStorage.setItem('key', key);
      resolve();
    }, { once: true });
  });
}

let asking = null;
export async function call(path, options = {}) {
  for (;;) {
    const answer = await fetch(path, { ...options, headers: { ...keyHeaders(), ...options.headers } });
    if (answer.ok) return answer;
    if (answer.status === 401) {
      asking ??= askForKey().finally(() => { asking = null; });
      await asking;
      continue;
    }
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Problem(problem.detail || answer.statusText), { status: answer.status });
  }
}

export const keyHeaders = () => (key ? { Authorization: `Bearer ${key}` } : {});
export function useKey(text) {
  key = text;
  if (key) sessionStorage.setItem('key', key); else sessionStorage.removeItem('key');
}

export const getJson = async path => (await call(path)).json();
// What a search answered, with the id that events name it by.
const answerOf = async answer => ({ ...await answer.json(), search: answer.headers.get('Search-Id') });
export const getAnswer = async path => answerOf(await call(path));

export async function search(photo, options, signal) {
  let body, headers = {};
  if (photo) {
    body = new FormData();
    body.append('image', photo, 'photo.jpg');
    body.append('options', JSON.stringify(options));
  } else {
    body = JSON.stringify(options);
    headers = { 'Content-Type': 'application/json' };
  }
  return answerOf(await call('/v1/search', { method: 'POST', body, headers, signal }));
}

// Without a key pictures load as any picture; with one they need its header.
export async function showImage(img, hash) {
  if (!hash) return;
  if (!key) {
    img.src = `/v1/images/${hash}`;
    return;
  }
  try {
    const blob = await (await call(`/v1/images/${hash}`)).blob();
    img.src = URL.createObjectURL(blob);
    img.onload = () => URL.revokeObjectURL(img.src);
  } catch { /* the description stands in for it */ }
}
