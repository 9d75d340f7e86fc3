// SPDX-License-Identifier: Apache-2.0
//
// The same network by ONNX Runtime, on the same input: answers counts of runs as bench/rounds.h says.
//
//     node encode_peer.mjs FOLDER_WITH_NODE_MODULES MODEL SHAPE THREADS      SHAPE: 32x3x224x224
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';

const [folder, model, shapeText, threadsText] = process.argv.slice(2);
const ort = createRequire(path.resolve(folder, 'package.json'))('onnxruntime-node');
const shape = shapeText.split('x').map(Number);

const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threadsText),
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    logSeverityLevel: 3,
});

// The noise of encode.c.
const noise = new Float32Array(shape.reduce((a, b) => a * b, 1));
for (let i = 0; i < noise.length; i++)
    noise[i] = (Math.imul(i, 2654435761) >>> 8) / 8388608 - 1;
const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', noise, shape) };
const wanted = session.outputNames.slice(0, 1);

const result = await session.run(feeds, wanted);
const values = result[wanted[0]].data;
let checksum = 0;
for (let i = 0; i < values.length; i++)
    checksum += Math.abs(values[i]) * (1 + i % 7);
console.log(`{"ort": "${ort.env.versions.node}", "checksum": ${checksum}}`);

for await (const line of readline.createInterface({ input: process.stdin })) {
    const count = Number(line);
    if (!(count > 0))
        break;
    const begin = performance.now();
    for (let i = 0; i < count; i++)
        await session.run(feeds, wanted);
    console.log((performance.now() - begin).toFixed(4));
}
process.exit(0);
