// SPDX-License-Identifier: Apache-2.0
// A client of the image search for bench/serve: closed loops (each of N connections asks again when it has its answer), an
// open loop (so many requests a second, whether or not the earlier ones are answered), slow connections. Prints one line of
// JSON.
//
//     node serve_client.mjs closed URL CONNECTIONS SECONDS PHOTO...
//     node serve_client.mjs open   URL RATE        SECONDS PHOTO...
//     node serve_client.mjs slow   URL CONNECTIONS SECONDS          heads that drip a byte a second
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

const [mode, address, amount, seconds, ...photos] = process.argv.slice(2);
const url = new URL(address), count = Number(amount), until = performance.now() + Number(seconds) * 1000;
const bodies = photos.map(path => {
  const begin = `--b\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n\r\n`;
  return Buffer.concat([Buffer.from(begin), readFileSync(path), Buffer.from('\r\n--b--\r\n')]);
});
const agent = new Agent({ keepAlive: true, maxSockets: mode === 'closed' ? count : Infinity });
const good = [], busy = [];
let failed = 0, next = 0;

function ask() {
  const body = bodies[next++ % bodies.length], begun = performance.now();
  return new Promise(resolve => {
    const sent = request({ host: url.hostname, port: url.port, path: '/v1/search', method: 'POST', agent,
      headers: { 'Content-Type': 'multipart/form-data; boundary=b', 'Content-Length': body.length } }, answer => {
      answer.resume();
      answer.on('end', () => {
        const took = performance.now() - begun;
        if (answer.statusCode === 200) good.push(took); else if (answer.statusCode === 503) busy.push(took); else failed++;
        resolve();
      });
    });
    sent.on('error', () => { failed++; resolve(); });
    sent.end(body);
  });
}

const at = (list, part) => (list.length ? list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(part * list.length))] : 0);
const print = begun => {
  const took = (performance.now() - begun) / 1000;
  const figures = { good_per_s: good.length / took, good: good.length, busy: busy.length, failed, p50_ms: at(good, 0.5), p99_ms: at(good, 0.99), busy_p50_ms: at(busy, 0.5), busy_p99_ms: at(busy, 0.99) };
  console.log(JSON.stringify(figures, (key, value) => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : value)));
};

if (mode === 'closed') {
  const begun = performance.now();
  await Promise.all(Array.from({ length: count }, async () => { while (performance.now() < until) await ask(); }));
  print(begun);
} else if (mode === 'open') {
  const begun = performance.now(), asked = [];
  for (let i = 0; performance.now() < until; i++) {
    // Whoever comes late because this process was busy comes at once: none is left out.
    const wait = begun + (i / count) * 1000 - performance.now();
    if (wait > 0) await new Promise(resume => setTimeout(resume, wait));
    asked.push(ask());
  }
  await Promise.all(asked);
  print(begun);
} else {
  const head = `GET /v1/info HTTP/1.1\r\nHost: localhost\r\nX-Slow: `;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(url.port), url.hostname, () => socket.write(head));
    socket.on('error', () => {});
    return socket;
  });
  const drip = setInterval(() => sockets.forEach(socket => { if (!socket.destroyed) socket.write('a'); }), 1000);
  await new Promise(resume => setTimeout(resume, Number(seconds) * 1000));
  clearInterval(drip);
  sockets.forEach(socket => socket.destroy());
}
