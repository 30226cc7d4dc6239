// A signaler and three waiters: an Event.
//
// Three processes wait for one signal. It wakes all of them, and stays: a fourth, which comes
// late, does not wait at all.
//
// Run:     node examples/starting-signal.mjs
// Prints:  before the signal, a wait of 20 ms: false
//          the signal: Ann, Bob and Cid go
//          too late to wait, and goes too: Dot

import { once } from 'node:events';
import { configure, Event, fork, forkArgs, unlinkNamespace } from 'holdfast';

const args = forkArgs();
await (args === undefined ? parent() : runner(args));

async function runner({ signal, name }) {
  process.send({ ready: name });
  await signal.wait();
  process.send({ goes: name });
}

async function parent() {
  configure({ namespace: `example-starting-signal-${process.pid}` });
  const signal = new Event('signal');

  const runners = ['Ann', 'Bob', 'Cid'].map((name) => run(signal, name));
  await Promise.all(runners.map(({ ready }) => ready));

  const early = await signal.wait({ timeout: 20 });
  console.log(`before the signal, a wait of 20 ms: ${early}`);

  signal.set();
  const [ann, bob, cid] = await Promise.all(runners.map(({ goes }) => goes));
  console.log(`the signal: ${ann}, ${bob} and ${cid} go`);

  const late = run(signal, 'Dot');
  console.log(`too late to wait, and goes too: ${await late.goes}`);

  await Promise.all([...runners, late].map(({ exit }) => exit));
  unlinkNamespace();
}

/** Starts a runner; promises of what it says, and of its end. */
function run(signal, name) {
  const child = fork(import.meta.filename, { args: { signal, name } });
  const said = (key) =>
    new Promise((resolve) => {
      child.on('message', (message) => key in message && resolve(message[key]));
    });
  return { ready: said('ready'), goes: said('goes'), exit: once(child, 'exit') };
}
