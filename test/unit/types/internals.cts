// What the declared types keep to themselves. Here and not in contract.ts, which is checked against lib/ too.
import holdfast = require('holdfast');

// @ts-expect-error an event has no options
new holdfast.Event('e', { nonsense: 1 });
new holdfast.Event('e');

export function internals(guard: holdfast.LockGuard, lock: holdfast.Lock): void {
  // @ts-expect-error internal
  guard.renew(guard);
  // @ts-expect-error internal
  guard.giveBack();
  // @ts-expect-error internal
  guard.dispose();
  // @ts-expect-error internal
  lock.openCore;
}

export class Derived extends holdfast.Lock {
  get mine(): unknown {
    // @ts-expect-error internal to those who derive a class, too
    return this.core;
  }
}
