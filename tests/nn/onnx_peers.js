// SPDX-License-Identifier: Apache-2.0
// What test_onnx_peers.sh asks of onnxruntime-node: every written file gives what its original gives.
//
//     node onnx_peers.js LIST      (LIST: one line ORIGINAL TAB WRITTEN per file)
//
// Inputs are made up; originals that ONNX Runtime does not load, or not run on those, are passed over.
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const ort = createRequire(path.join(process.env.VITRINE_ORT, 'x.js'))('onnxruntime-node');

const arrays = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array,
  uint64: BigUint64Array, bool: Uint8Array,
};

// Small whole numbers and halves, the same in every run.
function input(meta) {
  if (!meta.isTensor || !(meta.type in arrays)) throw new Error(`input of type ${meta.type}`);
  const dims = meta.shape.map((d) => (typeof d === 'number' && d >= 0 ? d : 2));
  const data = new arrays[meta.type](dims.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    const n = (i * 7 + 3) % 5;
    if (meta.type === 'bool') data[i] = n & 1;
    else if (typeof data[i] === 'bigint') data[i] = BigInt(n);
    else data[i] = meta.type.startsWith('float') ? n / 2 - 1 : n;
  }
  return new ort.Tensor(meta.type, data, dims);
}

async function results(file) {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  const feeds = {};
  for (const meta of session.inputMetadata) feeds[meta.name] = input(meta);
  const outputs = await session.run(feeds);
  return session.outputNames.map((name) => [name, outputs[name]]);
}

function difference(have, want) {
  if (have.length !== want.length) return 'the number of outputs';
  for (let k = 0; k < want.length; k++) {
    const [[name, a], [wanted, b]] = [have[k], want[k]];
    if (name !== wanted || a.type !== b.type || `${a.dims}` !== `${b.dims}`) return `output ${wanted}`;
    for (let i = 0; i < b.data.length; i++) {
      const [x, y] = [Number(a.data[i]), Number(b.data[i])];
      const same = x === y || (Number.isNaN(x) && Number.isNaN(y));
      if (!same && !(Math.abs(x - y) <= 1e-6 + 1e-6 * Math.abs(y))) return `${wanted}[${i}]: ${x}, not ${y}`;
    }
  }
  return null;
}

async function main() {
  let passed = 0, failed = 0, over = 0;
  for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
    const [original, written] = line.split('\t');
    let want, reason;
    try {
      want = await results(original);
    } catch (error) {
      over++;
      continue;
    }
    try {
      reason = difference(await results(written), want);
    } catch (error) {
      reason = String(error.message).split('\n')[0];
    }
    if (reason) console.log(`[  FAILED  ] ${original}: ${reason}`);
    if (reason) failed++;
    else passed++;
  }
  console.log(`onnxruntime: ${passed} files give the same, ${failed} do not, ${over} passed over`);
  process.exitCode = failed || !passed ? 1 : 0;
}

main();
