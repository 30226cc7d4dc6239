// Orders against stock, without overselling: withAll() over the locks of the products in an order.
//
// Three shops, each a process, sell from one store. An order names several products, in any order,
// and gets all of them or none. Each wants a pot, and there are 50 pots for 90 orders. What was
// sold and what is left are together what there was, for each product. The store is in store.mjs.
//
// Run:     node examples/stock/main.mjs
// Prints:  (what was sold and what is left of each product, which differs from run to run, then)
//          90 orders, 50 pots: 50 sold, 40 refused, nothing oversold

import { once } from 'node:events';
import { configure, fork, forkArgs, unlinkNamespace } from 'holdfast';
import { PRODUCTS, Store } from './store.mjs';

const STOCK = { cup: 100, pot: 50, tea: 100 };
const ORDERS = [
  { cup: 2, pot: 1 },
  { pot: 1, tea: 1 },
  { tea: 1, pot: 1, cup: 1 },
];
const SHOPS = 3;
const ROUNDS = 10;

const args = forkArgs();
await (args === undefined ? parent() : shop());

async function shop() {
  const store = new Store();
  const sold = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const order of ORDERS) {
      if (await store.sell(order)) sold.push(order);
    }
  }
  process.send(sold);
}

async function parent() {
  configure({ namespace: `example-stock-${process.pid}` });
  const store = new Store();
  store.fill(STOCK);

  const children = Array.from({ length: SHOPS }, () => fork(import.meta.filename, { args: {} }));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const sales = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]));
  await exits;

  const left = store.counts;
  unlinkNamespace();

  const sold = sales.flat();
  let oversold = 0;
  for (const product of PRODUCTS) {
    const gone = sold.reduce((sum, order) => sum + (order[product] ?? 0), 0);
    console.log(`${product}: ${gone} sold, ${left[product]} left`);
    if (gone + left[product] !== STOCK[product]) oversold++;
  }
  const orders = SHOPS * ROUNDS * ORDERS.length;
  console.log(
    `${orders} orders, ${STOCK.pot} pots: ${sold.length} sold, ${orders - sold.length} refused, ` +
      `${oversold === 0 ? 'nothing' : oversold} oversold`,
  );
  process.exitCode = sold.length === STOCK.pot && oversold === 0 ? 0 : 1;
}
