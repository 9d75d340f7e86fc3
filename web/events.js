// SPDX-License-Identifier: Apache-2.0
// Tells the service which results were seen and which were opened, where it says that it takes that. A visit is a
// random token of this tab; who asks browsers not to be followed is not.
import { keyHeaders } from './api.js';

const WAIT_MS = 1000, AT_ONCE = 100;
const waiting = [];
let on = false, timer = 0;

function visit() {
  let token = sessionStorage.getItem('visit');
  if (!token) {
    token = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
    sessionStorage.setItem('visit', token);
  }
  return token;
}

// Also when the page goes away: such a request outlives it. What is lost is lost.
function send() {
  clearTimeout(timer);
  timer = 0;
  while (waiting.length)
    fetch('/v1/events', { method: 'POST', keepalive: true, headers: { 'Content-Type': 'application/json', ...keyHeaders() },
      body: JSON.stringify(waiting.splice(0, AT_ONCE)) }).then(answer => answer.text()).catch(() => {});
}

// found: { product, search, position } of an answer; of a product that no search led to { product } alone.
export function note(kind, { product, search, position }) {
  if (!on) return;
  waiting.push({ kind, product: product.id, session: visit(), ...(search ? { search, position } : {}) });
  if (!timer) timer = setTimeout(send, WAIT_MS);
}

const shown = new WeakMap();
const watcher = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    note('view', shown.get(target));
  }
}, { threshold: 0.5 });

// A result counts as viewed when half of it has been on the screen.
export function watch(node, found) {
  if (!on || !found.search) return;
  shown.set(node, found);
  watcher.observe(node);
}

export function takeEvents(wanted) {
  on = wanted && navigator.globalPrivacyControl !== true && navigator.doNotTrack !== '1';
}

addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') send(); });
addEventListener('pagehide', send);
