// A bounded buffer in shared memory, for any number of processes: one lock, and two conditions on
// it, one for each thing that there is to wait for.

import { Condition, Lock, SharedArray } from 'holdfast';

// The array: three numbers, then the places.
const FIRST = 0; // the place of the oldest number
const COUNT = 1; // how many there are
const ENDED = 2; // whether no more will come
const PLACES = 3;

export class Buffer {
  #lock;
  #notEmpty;
  #notFull;
  #memory;
  #size;

  /** The same name and size are the same buffer, in every process. */
  constructor(name, size) {
    this.#lock = new Lock(`${name}/lock`);
    this.#notEmpty = new Condition(this.#lock, { name: `${name}/not empty` });
    this.#notFull = new Condition(this.#lock, { name: `${name}/not full` });
    this.#memory = new SharedArray(`${name}/memory`, 'int32', PLACES + size);
    this.#size = size;
  }

  /** Puts a number in, and waits for a place if the buffer is full. */
  async put(number) {
    await this.#lock.with(async () => {
      const { array } = this.#memory;
      await this.#notFull.waitFor(() => array[COUNT] < this.#size);
      array[PLACES + ((array[FIRST] + array[COUNT]) % this.#size)] = number;
      array[COUNT] += 1; // under the lock, so nobody else counts
      this.#notEmpty.notify();
    });
  }

  /** Says that no more will come: whoever waits for a number is woken to hear it. */
  async end() {
    await this.#lock.with(() => {
      this.#memory.array[ENDED] = 1;
      this.#notEmpty.notifyAll();
    });
  }

  /** Takes the oldest number, and waits for one if there is none; `undefined` after the end. */
  async take() {
    return await this.#lock.with(async () => {
      const { array } = this.#memory;
      await this.#notEmpty.waitFor(() => array[COUNT] > 0 || array[ENDED] === 1);
      if (array[COUNT] === 0) return undefined;
      const number = array[PLACES + array[FIRST]];
      array[FIRST] = (array[FIRST] + 1) % this.#size;
      array[COUNT] -= 1;
      this.#notFull.notify();
      return number;
    });
  }
}
