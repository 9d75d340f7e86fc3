// node search.mjs photo.jpg
import { readFile } from 'node:fs/promises';

const form = new FormData();
form.append('image', new Blob([await readFile(process.argv[2])]), 'photo.jpg');
form.append('top', '5');
const answer = await (await fetch('http://localhost:8080/v1/search', { method: 'POST', body: form })).json();
for (const { similarity, product } of answer.results) console.log(similarity, product.title);
