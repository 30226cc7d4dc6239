// Processes in lockstep: a Barrier.
//
// Three processes work in rounds, and some are slower than others. Nobody begins a round before
// all have finished the last: each waits at the barrier for the others. wait() gives each party of
// a round another index, 0 to 2, by which they may share out what only one should do; the barrier's
// action is run once a round too, by one of them, before anyone goes on.
//
// Run:     node examples/lockstep.mjs
// Prints:  round 1: 3 done
//          round 2: 3 done
//          round 3: 3 done
//          round 4: 3 done
//          3 parties, 4 rounds in lockstep; the indexes of each round: 0, 1, 2

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Barrier, configure, fork, forkArgs, SharedValue, unlinkNamespace } from 'holdfast';

const PARTIES = 3;
const ROUNDS = 4;

const args = forkArgs();
await (args === undefined ? parent() : party(args));

async function party({ slowness }) {
  const done = new SharedValue('done', 'int32');
  // By its name, since an action cannot travel: each process brings its own.
  const barrier = new Barrier('round', PARTIES, {
    action: () => console.log(`round ${done.value / PARTIES}: ${PARTIES} done`),
  });
  const indexes = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await setTimeout(slowness); // the work
    done.add(1);
    indexes.push(await barrier.wait());
    if (done.value < round * PARTIES) throw new Error(`round ${round} ended too early`);
  }
  process.send(indexes);
}

async function parent() {
  configure({ namespace: `example-lockstep-${process.pid}` });

  const children = Array.from({ length: PARTIES }, (_, i) =>
    fork(import.meta.filename, { args: { slowness: 2 + 10 * i } }),
  );
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const indexes = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;
  unlinkNamespace();

  const rounds = indexes[0].map((_, round) => indexes.map((own) => own[round]).sort());
  const all = Array.from({ length: PARTIES }, (_, i) => i).join(', ');
  const lockstep = rounds.length === ROUNDS && rounds.every((own) => own.join(', ') === all);
  console.log(
    `${PARTIES} parties, ${ROUNDS} rounds ${lockstep ? '' : 'NOT '}in lockstep; ` +
      `the indexes of each round: ${all}`,
  );
  process.exitCode = lockstep ? 0 : 1;
}
