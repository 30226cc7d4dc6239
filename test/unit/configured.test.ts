import { AsyncLocalStorage } from 'node:async_hooks';
import { configure, Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace } from '../support/namespace.js';

const namespace = ownNamespace('configured');

it('configure() after the first object throws, unless it asks for what is in force', () => {
  const lock = new Lock('first');
  for (const options of [
    { namespace: `${namespace}-other` },
    { mode: 0o660 },
    { warnOnAbandoned: false },
    { detectDeadlocks: 'enabled' in new AsyncLocalStorage() },
  ]) {
    const error = thrownBy(() => configure(options));
    expect(error.code).toBe('ERR_HOLDFAST_CONFIGURED');
  }
  configure({ namespace });
  configure({ mode: 0o600 });
  configure({ namespace, mode: 0o600, warnOnAbandoned: true });
  lock.acquireSync({ timeout: 0 }).release();
});
