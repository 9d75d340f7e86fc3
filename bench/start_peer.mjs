// SPDX-License-Identifier: Apache-2.0
//
// One photo's vector by sharp and ONNX Runtime with their defaults, then one line; as short a program
// as does it.
//
//     node start_peer.mjs ORT_FOLDER SHARP_FOLDER MODEL PHOTO
import path from 'node:path';
import { createRequire } from 'node:module';

const [ortFolder, sharpFolder, model, photo] = process.argv.slice(2);
const ort = createRequire(path.resolve(ortFolder, 'package.json'))('onnxruntime-node');
const sharp = createRequire(path.resolve(sharpFolder, 'package.json'))('sharp');

const side = 224;
const plane = side * side;
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

const [session, pixels] = await Promise.all([
    ort.InferenceSession.create(model, { logSeverityLevel: 3 }),
    sharp(photo).resize(256, 256, { fit: 'cover', kernel: 'linear' })
        .extract({ left: 16, top: 16, width: side, height: side }).removeAlpha().raw().toBuffer(),
]);
const values = new Float32Array(3 * plane);
for (let i = 0; i < 3 * plane; i++)
    values[(i % 3) * plane + Math.floor(i / 3)] = (pixels[i] / 255 - mean[i % 3]) / deviation[i % 3];
const input = new ort.Tensor('float32', values, [1, 3, side, side]);
const output = (await session.run({ [session.inputNames[0]]: input }))[session.outputNames[0]];
console.log(output.dims.join('x'), ort.env.versions.node);
process.exit(0);
