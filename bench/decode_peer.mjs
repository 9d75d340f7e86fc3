// SPDX-License-Identifier: Apache-2.0
//
// The same work as `decode measure` by sharp (libvips), the way its users would write it: JPEG bytes,
// resize to cover, raw pixels, normalised planes of floats. One picture at a time, one thread, no cache.
//
//     node decode_peer.mjs FOLDER_WITH_NODE_MODULES LIST SIDE KERNEL
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [folder, list, sideText, kernelName] = process.argv.slice(2);
const sharp = createRequire(path.resolve(folder, 'package.json'))('sharp');
const kernels = { bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos3' };
const kernel = kernels[kernelName];
const side = Number(sideText);
if (!kernel || !(side > 0)) {
    console.error('usage: decode_peer.mjs FOLDER LIST SIDE bilinear|bicubic|lanczos');
    process.exit(2);
}

sharp.concurrency(1);
sharp.cache(false);

const files = fs.readFileSync(list, 'utf8').split('\n').filter(Boolean).map((file) => fs.readFileSync(file));
const plane = side * side;
const tensor = new Float32Array(3 * plane);
// (pixel / 255 - mean) / deviation as one multiplication and one addition, as in the other program.
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];
const gain = deviation.map((d) => 1 / 255 / d);
const offset = mean.map((m, i) => -m / deviation[i]);

async function toTensor(bytes) {
    const pixels = await sharp(bytes)
        .resize(side, side, { fit: 'cover', kernel })
        .removeAlpha()
        .raw()
        .toBuffer();
    const [g0, g1, g2] = gain;
    const [o0, o1, o2] = offset;
    for (let i = 0, j = 0; i < plane; i++, j += 3) {
        tensor[i] = pixels[j] * g0 + o0;
        tensor[i + plane] = pixels[j + 1] * g1 + o1;
        tensor[i + 2 * plane] = pixels[j + 2] * g2 + o2;
    }
    return tensor[plane >> 1];
}

for (const bytes of files.slice(0, 50))
    await toTensor(bytes);
let sum = 0;
const begin = performance.now();
for (const bytes of files)
    sum += await toTensor(bytes);
const spent = performance.now() - begin;
console.log(JSON.stringify({
    images: files.length,
    images_per_s: Number((files.length / spent * 1000).toFixed(1)),
    sharp: sharp.versions.sharp,
    libvips: sharp.versions.vips,
    checksum: Number((sum / files.length).toFixed(3)),
}));
