// At most 3 downloads at once, over all processes together: a Semaphore with 3 permits.
//
// Four processes want five files each, and each process asks for its five at once. Only the
// semaphore keeps the 20 requests from coming all together. The server, which runs here, counts
// how many it is answering.
//
// A permit belongs to the process that has it: were one killed during a download, its permit would
// be there again at once.
//
// Run:     node examples/downloads/main.mjs
// Prints:  4 processes, 20 downloads: never more than 3 at once

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, Semaphore, unlinkNamespace } from 'holdfast';

const PROCESSES = 4;
const FILES = 5;
const AT_ONCE = 3;

configure({ namespace: `example-downloads-${process.pid}` });

let answering = 0;
let most = 0;
let answered = 0;
const server = createServer(async (request, response) => {
  answering++;
  most = Math.max(most, answering);
  await setTimeout(20); // a slow disk
  answering--;
  answered++;
  response.end(`the contents of ${request.url}`);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const site = `http://127.0.0.1:${server.address().port}`;

const downloads = new Semaphore('downloads', AT_ONCE);
const children = Array.from({ length: PROCESSES }, (_, i) => {
  const urls = Array.from({ length: FILES }, (_, file) => `${site}/${i + 1}/${file + 1}.txt`);
  return fork(new URL('downloader.mjs', import.meta.url), { args: { downloads, urls } });
});
const exits = await Promise.all(children.map((child) => once(child, 'exit')));

server.close();
unlinkNamespace();

console.log(`${PROCESSES} processes, ${answered} downloads: never more than ${most} at once`);
process.exitCode = exits.every(([code]) => code === 0) && most === AT_ONCE ? 0 : 1;
