// A store that any number of processes sell from: how many there are of each product, in shared
// memory, and a lock a product.

import { Lock, SharedArray, withAll } from 'holdfast';

export const PRODUCTS = ['cup', 'pot', 'tea'];

export class Store {
  #counts = new SharedArray('store/counts', 'uint32', PRODUCTS.length);
  #locks = PRODUCTS.map((product) => new Lock(`store/${product}`));

  /** How many there are: `{ cup: 100, ... }`. */
  get counts() {
    return Object.fromEntries(PRODUCTS.map((product, i) => [product, this.#counts.get(i)]));
  }

  /** Puts these on the shelves, before the sale. */
  fill(counts) {
    for (const [i, product] of PRODUCTS.entries()) this.#counts.set(i, counts[product]);
  }

  /**
   * Sells all that the order names, `{ cup: 2, tea: 1 }`, or nothing, and says which: true or
   * false. Only the products that it names are locked, so other orders may go on beside it.
   */
  async sell(order) {
    const lines = Object.entries(order).map(([product, count]) => [
      PRODUCTS.indexOf(product),
      count,
    ]);
    const locks = lines.map(([product]) => this.#locks[product]);
    return await withAll(locks, () => {
      const enough = lines.every(([product, count]) => this.#counts.get(product) >= count);
      if (!enough) return false;
      for (const [product, count] of lines) {
        this.#counts.set(product, this.#counts.get(product) - count);
      }
      return true;
    });
  }
}
