// A process that uses every object in a loop, with short time-outs, and says what must not happen. As a worker the same.
// Told { phase }: 'run', 'idle' (only waits, a second each), 'end'. Argument: { worker, ending, phase } as JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { configure } from 'holdfast';
import { Family, passing, verbs } from './family.mjs';
import { PATIENCE, Waits } from './waits.mjs';

const PLAYERS = 10;
/** A worker that has not said for so long that it lives does not. */
const SILENCE_MS = 3000 * PATIENCE;
const options = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const port = isMainThread ? process : parentPort;
const send = (message) => {
  if (!isMainThread) parentPort.postMessage(message);
  else if (process.connected) process.send(message, () => {});
};

let phase = options.phase ?? 'run';
const family = new Family();
const waits = new Waits((finding) => send({ type: 'finding', ...finding }));
let worker = null;
let workerBeat = 0;

function one(list) {
  return list[Math.floor(Math.random() * list.length)];
}

async function tryVerb(name, timeoutMs) {
  const object = name.split('.')[0];
  try {
    await verbs[name](family.get(object), waits.of(object), timeoutMs);
  } catch (error) {
    const code = waits.judge(error, name);
    // A user that gives up, or begins anew.
    if (code !== 'ERR_HOLDFAST_TIMEOUT' && Math.random() < 0.3) tryDrop(object);
  }
}

function tryDrop(object) {
  try {
    waits.of(object)('close', 0, () => family.drop(object));
  } catch (error) {
    waits.judge(error, `${object}.close`);
  }
}

async function tryPassing(name) {
  try {
    await passing[name](waits.of(name), 50);
  } catch (error) {
    waits.judge(error, name);
  }
}

const all = Object.keys(verbs);
// Who blocks its thread keeps all others of it from waiting.
const unblocking = all.filter((name) => !name.endsWith('Sync'));

async function run() {
  while (phase === 'run') {
    if (Math.random() < 0.04) await tryPassing(one(Object.keys(passing)));
    else if (Math.random() < 0.02) tryDrop(one(family.names));
    else if (Math.random() < 0.15) await tryVerb(one(all), 20);
    else await tryVerb(one(unblocking), 20 + Math.random() * 80);
    await sleep(Math.random() * 4);
  }
}

async function idle(names) {
  while (phase === 'idle') {
    const rest = sleep(1000);
    await Promise.all(names.map((name) => tryVerb(name, 1000)));
    await rest;
  }
}

async function player(i) {
  await run();
  const waiting = Object.keys(verbs).filter((name) => /\.(acquire|wait|read|write)$/.test(name));
  await idle(waiting.filter((_, j) => j % PLAYERS === i));
}

async function end() {
  phase = 'end';
  if (options.ending === 'exit') process.exit(0);
  if (options.ending === 'terminate') {
    await worker?.terminate();
    process.exit(0);
  }
  // By itself: nothing keeps the loop alive when all is closed.
  worker?.postMessage({ phase: 'end' });
  for (const name of family.names) tryDrop(name);
  if (isMainThread) process.disconnect();
  else parentPort.close();
}

function startWorker() {
  worker = new Worker(new URL(import.meta.url), { workerData: { ...options, ending: 'close' } });
  worker.on('error', (error) => send({ type: 'finding', what: 'error', detail: `${error.stack}` }));
  return new Promise((resolve) => {
    worker.on('exit', resolve);
    worker.on('message', (message) => {
      if (message.type === 'ready') resolve();
      else if (message.type === 'beat') workerBeat = performance.now();
      else send(message);
    });
  });
}

if (isMainThread) {
  configure({ warnOnAbandoned: false });
  // Nobody is there any more to look after this one.
  process.on('disconnect', () => phase !== 'end' && process.kill(process.pid, 'SIGKILL'));
}
port.on('message', (message) => {
  if (message.phase === 'end') {
    end();
  } else {
    phase = message.phase;
    worker?.postMessage(message);
  }
});
if (isMainThread && options.worker) await startWorker();
setInterval(() => {
  // Both are beats of this process: a worker that is stuck makes it stuck.
  if (worker && workerBeat > 0 && performance.now() - workerBeat > SILENCE_MS) return;
  send({ type: 'beat', codes: waits.codes });
}, 300).unref();
for (const name of family.names) {
  try {
    family.get(name);
  } catch (error) {
    waits.judge(error, `new ${name}`);
  }
}
const players = Array.from({ length: PLAYERS }, (_, i) => player(i));
send({ type: 'ready' });
await Promise.all(players);
