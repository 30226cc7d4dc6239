// A process that comes to shared memory as it finds it: joins, opens every object, does each verb once, and goes. Prints
// nothing; sends what must not happen. Argument: { idleMs, ending } as JSON.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { configure } from 'holdfast';
import { Family, passing, verbs } from './family.mjs';
import { spinning, threadTimes } from './threads.mjs';
import { nowMs, Waits } from './waits.mjs';

const TIMEOUT_MS = 15;
const options = JSON.parse(process.argv[2]);
const send = (message) => process.connected && process.send(message, () => {});
const waits = new Waits((finding) => send({ type: 'finding', ...finding }));
const family = new Family();
const beat = () => send({ type: 'beat', codes: waits.codes });
setInterval(beat, 300).unref();

/** Whether it went well. */
async function attempt(where, run) {
  await turn(); // beats go out
  try {
    await run();
    return true;
  } catch (error) {
    waits.judge(error, where);
    return false;
  }
}

const verb = (name) => {
  const object = name.split('.')[0];
  return attempt(name, () => verbs[name](family.get(object), waits.of(object), TIMEOUT_MS));
};

async function round() {
  const all = Object.keys(verbs);
  await Promise.all(all.filter((name) => !name.endsWith('Sync')).map(verb));
  for (const name of all.filter((each) => each.endsWith('Sync'))) await verb(name);
  for (const name of Object.keys(passing)) {
    await attempt(name, () => passing[name](waits.of(name), TIMEOUT_MS));
  }
}

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
configure({ warnOnAbandoned: false });
let opened = 0;
for (const name of family.names) {
  if (await attempt(`new ${name}`, () => waits.of(name)('new', 0, () => family.get(name)))) {
    opened += 1;
  }
}
// Without any it cannot join, and would only be told so a hundred times more.
if (opened > 0) await round();
if (options.idleMs > 0) {
  const before = threadTimes(process.pid);
  const from = nowMs();
  await sleep(options.idleMs);
  for (const detail of spinning(before, threadTimes(process.pid), nowMs() - from)) {
    send({ type: 'finding', what: 'loop', detail });
  }
}
beat();
if (options.ending === 'exit') process.exit(0);
for (const name of family.names) {
  await attempt(`${name}.close`, () => waits.of(name)('close', 0, () => family.drop(name)));
}
process.removeAllListeners('disconnect');
process.disconnect();
