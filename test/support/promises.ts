import { setImmediate as turn } from 'node:timers/promises';

export type State = 'pending' | 'fulfilled' | 'rejected';

/** Follows a promise without waiting for it; a rejection counts as handled. */
export function watch(promise: Promise<unknown>): { state: State } {
  const watched: { state: State } = { state: 'pending' };
  promise.then(
    () => {
      watched.state = 'fulfilled';
    },
    () => {
      watched.state = 'rejected';
    },
  );
  return watched;
}

/** Lets the event loop turn: whatever needs no other thread has happened afterwards. */
export async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await turn();
  }
}
