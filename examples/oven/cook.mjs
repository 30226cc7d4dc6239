// One cook; main.mjs starts two of them.

import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { forkArgs, Lock } from 'holdfast';

const { name, dishes, tray } = forkArgs();
const oven = new Lock('oven'); // the same name is the same lock, in both cooks

for (const dish of dishes) {
  await setTimeout(10); // prepare it: this needs no oven
  await oven.with(async () => {
    writeFileSync(tray, dish, { flag: 'wx' }); // fails if a dish is in the oven
    console.log(`${name} puts the ${dish} in`);
    await setTimeout(20);
    console.log(`${name} takes the ${dish} out`);
    rmSync(tray);
  });
}
