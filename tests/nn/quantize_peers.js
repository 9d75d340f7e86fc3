// SPDX-License-Identifier: Apache-2.0
// What test_quantize_peers.sh asks of onnxruntime-node: quantised files give the vectors that vitrine got.
//
//     node quantize_peers.js LIST      (LIST: one line MODEL TAB INPUT.npy TAB OUTPUT.npy per file)
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const ort = createRequire(path.join(process.env.VITRINE_ORT, 'x.js'))('onnxruntime-node');

// NumPy format 1.0, little-endian f32, C order.
function npy(file) {
  const bytes = fs.readFileSync(file);
  const length = bytes.readUInt16LE(8);
  const head = bytes.toString('latin1', 10, 10 + length);
  if (!head.includes("'<f4'") || head.includes('True')) throw new Error(`${file}: ${head}`);
  const dims = head.match(/\(([^)]*)\)/)[1].split(',').map((t) => t.trim()).filter(Boolean).map(Number);
  const data = new Float32Array(Uint8Array.from(bytes.subarray(10 + length)).buffer);
  return { dims, data };
}

function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

async function main() {
  let failed = 0, passed = 0;
  for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
    const [model, input, output] = line.split('\t');
    let similarity = NaN, reason = '';
    try {
      const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4, intraOpNumThreads: 1 });
      const x = npy(input), want = npy(output);
      const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', x.data, x.dims) });
      const have = results[session.outputNames[0]];
      if (`${have.dims}` !== `${want.dims}`) reason = `shape ${have.dims}, not ${want.dims}`;
      else similarity = cosine(have.data, want.data);
    } catch (error) {
      reason = String(error.message).split('\n')[0];
    }
    if (similarity > 0.999) passed++;
    else failed++;
    console.log(`${similarity > 0.999 ? 'same' : '[  FAILED  ]'}: ${path.basename(model)}: cosine ${similarity} ${reason}`);
  }
  process.exitCode = failed || !passed ? 1 : 0;
}

main();
