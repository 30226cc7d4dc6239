// A counter that any number of processes share: a lock and a value, and a class that never touches
// one without the other. Who uses it sees neither.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Lock } from 'holdfast';

export class Counter {
  #lock;
  #file;

  /** The same name and file are the same counter, in every process. It starts at 0. */
  constructor(name, file) {
    this.#lock = new Lock(`counter/${name}`);
    this.#file = file;
  }

  /** The value as it is now; an increment may follow at any time. */
  get value() {
    return this.#lock.withSync(() => this.#read());
  }

  /** Adds `by` and returns the new value. Blocks the thread while another process counts. */
  increment(by = 1) {
    return this.#lock.withSync(() => {
      const value = this.#read() + by;
      writeFileSync(this.#file, String(value));
      return value;
    });
  }

  // Only under the lock.
  #read() {
    return existsSync(this.#file) ? Number(readFileSync(this.#file, 'utf8')) : 0;
  }
}
