// A database in one file, for any number of processes: readers beside one another, a writer alone.

import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { RWLock } from 'holdfast';

export class Database {
  #lock;
  #path;

  /** The same name and path are the same database, in every process. It starts empty. */
  constructor(name, path) {
    this.#lock = new RWLock(`database/${name}`);
    this.#path = path;
  }

  /** What `fn` makes of the records. Other readers may be in at the same time. */
  async read(fn) {
    return await this.#lock.read.with(async () => await fn(this.#load()));
  }

  /** `fn` changes the records. Nobody else is in meanwhile. */
  async update(fn) {
    await this.#lock.write.with(async () => {
      const records = this.#load();
      fn(records);
      await this.#save(records);
    });
  }

  // Under either side.
  #load() {
    return existsSync(this.#path) ? JSON.parse(readFileSync(this.#path, 'utf8')) : {};
  }

  // Under the write side: the file is empty at first, then it holds one half, then the other.
  async #save(records) {
    const text = JSON.stringify(records);
    const file = await open(this.#path, 'w');
    try {
      await file.write(text.slice(0, text.length / 2));
      await setImmediate();
      await file.write(text.slice(text.length / 2));
    } finally {
      await file.close();
    }
  }
}
