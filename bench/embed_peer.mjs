// SPDX-License-Identifier: Apache-2.0
//
// The same work as embed.c by sharp and ONNX Runtime, the way their users write it: pictures are
// decoded, scaled and cropped by sharp, a batch of them at once, put into one Float32Array, and run
// together. Whether the next batch is decoded while the network runs or after it is tried first, and
// the faster way is the one that is measured.
//
//     node embed_peer.mjs ORT_FOLDER SHARP_FOLDER MODEL LIST THREADS VECTORS
//     node embed_peer.mjs compare VECTORS VECTORS DIM     how alike two programs' vectors are: the mean
//                                                         cosine after their common direction is removed
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';

const piece = 32;

function load(folder, name) {
    return createRequire(path.resolve(folder, 'package.json'))(name);
}

function compare(fileA, fileB, dim) {
    const [a, b] = [fileA, fileB].map((file) => {
        const bytes = fs.readFileSync(file);
        const rows = new Float32Array(new Uint8Array(bytes).buffer);
        const count = rows.length / dim;
        for (let d = 0; d < dim; d++) {
            let mean = 0;
            for (let i = d; i < rows.length; i += dim)
                mean += rows[i] / count;
            for (let i = d; i < rows.length; i += dim)
                rows[i] -= mean;
        }
        return rows;
    });
    if (a.length !== b.length)
        return NaN;
    let sum = 0;
    for (let i = 0; i < a.length; i += dim) {
        let ab = 0, aa = 0, bb = 0;
        for (let d = i; d < i + dim; d++) {
            ab += a[d] * b[d];
            aa += a[d] * a[d];
            bb += b[d] * b[d];
        }
        sum += ab / Math.sqrt(aa * bb);
    }
    return sum / (a.length / dim);
}

if (process.argv[2] === 'compare') {
    console.log(compare(process.argv[3], process.argv[4], Number(process.argv[5])).toFixed(4));
    process.exit(0);
}

const [ortFolder, sharpFolder, model, list, threadsText, vectorsFile] = process.argv.slice(2);
const ort = load(ortFolder, 'onnxruntime-node');
const sharp = load(sharpFolder, 'sharp');
sharp.cache(false);

const side = 224;
const plane = side * side;
const covered = 256; // the crop shows 0.875 of the covered size
const margin = (covered - side) / 2;
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];
const gain = deviation.map((d) => 1 / 255 / d);
const offset = mean.map((m, i) => -m / deviation[i]);

const files = fs.readFileSync(list, 'utf8').split('\n').filter(Boolean).map((file) => fs.readFileSync(file));
const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threadsText),
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    logSeverityLevel: 3,
});
const input = session.inputNames[0];
const output = session.outputNames[0];
let next = 0;

async function decodeInto(bytes, tensor, start) {
    const pixels = await sharp(bytes)
        .resize(covered, covered, { fit: 'cover', kernel: 'linear' })
        .extract({ left: margin, top: margin, width: side, height: side })
        .removeAlpha()
        .raw()
        .toBuffer();
    const [g0, g1, g2] = gain;
    const [o0, o1, o2] = offset;
    for (let i = start, j = 0; j < 3 * plane; i++, j += 3) {
        tensor[i] = pixels[j] * g0 + o0;
        tensor[i + plane] = pixels[j + 1] * g1 + o1;
        tensor[i + 2 * plane] = pixels[j + 2] * g2 + o2;
    }
}

// Two tensors: one is filled while the network reads the other.
const tensors = [0, 1].map(() => new Float32Array(piece * 3 * plane));

async function decodeBatch(which) {
    const work = [];
    for (let i = 0; i < piece; i++, next++)
        work.push(decodeInto(files[next % files.length], tensors[which], i * 3 * plane));
    await Promise.all(work);
}

async function runBatch(which) {
    const batch = new ort.Tensor('float32', tensors[which], [piece, 3, side, side]);
    const vectors = (await session.run({ [input]: batch }, [output]))[output].data;
    const dim = vectors.length / piece;
    for (let i = 0; i < vectors.length; i += dim) {
        let square = 0;
        for (let d = i; d < i + dim; d++)
            square += vectors[d] * vectors[d];
        const scale = 1 / Math.sqrt(square);
        for (let d = i; d < i + dim; d++)
            vectors[d] *= scale;
    }
    return vectors;
}

async function inTurn(count) {
    for (let i = 0; i < count; i++) {
        await decodeBatch(0);
        await runBatch(0);
    }
}

async function overlapped(count) {
    await decodeBatch(0);
    for (let i = 0; i < count; i++) {
        const running = runBatch(i & 1);
        if (i + 1 < count)
            await decodeBatch((i + 1) & 1);
        await running;
    }
}

async function time(work, count) {
    const begin = performance.now();
    await work(count);
    return performance.now() - begin;
}

await decodeBatch(0);
const vectors = await runBatch(0);
fs.writeFileSync(vectorsFile, Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength));
const tries = 4;
await overlapped(1);
const times = [0, 0];
for (let i = 0; i < 2; i++) {
    times[0] += await time(inTurn, tries);
    times[1] += await time(overlapped, tries);
}
const way = times[1] < times[0] ? overlapped : inTurn;
console.log(JSON.stringify({ ort: ort.env.versions.node, sharp: sharp.versions.sharp, way: way === overlapped ? 'overlapped' : 'in turn' }));

for await (const line of readline.createInterface({ input: process.stdin })) {
    const count = Number(line);
    if (!(count > 0))
        break;
    console.log((await time(way, count)).toFixed(4));
}
process.exit(0);
