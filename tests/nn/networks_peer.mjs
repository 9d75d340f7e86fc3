// SPDX-License-Identifier: Apache-2.0
//
// What ONNX Runtime makes of the cases that make_networks.py wrote: FOLDER/OUT/<network>.<case>/
// output_<n>.npy, named as `vitrine model run` names them.
//
//     node networks_peer.mjs FOLDER_WITH_NODE_MODULES FOLDER OUT
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [modules, folder, out] = process.argv.slice(2);
const ort = createRequire(path.resolve(modules, 'package.json'))('onnxruntime-node');

// NumPy's format 1.0, row-major, of the two types that the cases have.
const kinds = {
    '<f4': { name: 'float32', array: Float32Array },
    '<i8': { name: 'int64', array: BigInt64Array },
};

function readNpy(file) {
    const bytes = fs.readFileSync(file);
    const start = 10 + bytes.readUInt16LE(8);
    const header = bytes.toString('latin1', 10, start);
    const kind = kinds[/'descr': '([^']*)'/.exec(header)[1]];
    const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(',').filter((d) => d.trim()).map(Number);
    if (!kind || /'fortran_order': True/.test(header))
        throw new Error(`${file}: another kind of array`);
    const data = new kind.array(new Uint8Array(bytes.subarray(start)).buffer);
    return new ort.Tensor(kind.name, data, shape);
}

function writeNpy(file, tensor) {
    const descr = Object.keys(kinds).find((key) => kinds[key].name === tensor.type);
    const dims = tensor.dims.map((d) => `${d},`).join(' ');
    const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
    const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
    const front = Buffer.alloc(10);
    front.write('\x93NUMPY\x01\x00', 'latin1');
    front.writeUInt16LE(header.length, 8);
    const { buffer, byteOffset, byteLength } = tensor.data;
    fs.writeFileSync(file, Buffer.concat([front, Buffer.from(header, 'latin1'), Buffer.from(buffer, byteOffset, byteLength)]));
}

let open = { name: null, session: null };
for (const line of fs.readFileSync(path.join(folder, 'cases.txt'), 'utf8').split('\n').filter(Boolean)) {
    const [network, name, ...files] = line.split(' ');
    if (open.name !== network) {
        const session = await ort.InferenceSession.create(path.join(folder, `${network}.onnx`), { intraOpNumThreads: 1 });
        open = { name: network, session };
    }
    const { session } = open;
    const feeds = {};
    session.inputNames.forEach((input, n) => { feeds[input] = readNpy(path.join(folder, files[n])); });
    const results = await session.run(feeds);
    const target = path.join(folder, out, `${network}.${name}`);
    fs.mkdirSync(target, { recursive: true });
    session.outputNames.forEach((output, n) => writeNpy(path.join(target, `output_${n}.npy`), results[output]));
}
