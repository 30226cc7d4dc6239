/**
 * One listener for each signal, however many waits it may end: Node.js warns of a leak at eleven,
 * and takes a listener off by walking through those before it.
 */

/** What ends when its signal aborts. */
export interface Abortable {
  aborted(): void;
}

class Listener {
  readonly #waits = new Set<Abortable>();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this, { once: true });
  }

  add(wait: Abortable): void {
    this.#waits.add(wait);
  }

  remove(wait: Abortable): void {
    this.#waits.delete(wait);
    if (this.#waits.size > 0) return;
    listeners.delete(this.#signal);
    try {
      this.#signal.removeEventListener('abort', this);
    } catch {
      // A signal of another make. The listener stays and has nobody to tell; what its wait got must go on.
    }
  }

  /** What `addEventListener` calls. A wait that ends while others are told leaves the set unvisited. */
  handleEvent(): void {
    for (const wait of this.#waits) wait.aborted();
  }
}

const listeners = new WeakMap<AbortSignal, Listener>();

/**
 * Has `wait` told when `signal` aborts, and never before this has returned. May throw what the signal throws, which can
 * be of another make: nothing is left behind then, so this comes first, before anything else is changed.
 */
export function onAbort(signal: AbortSignal, wait: Abortable): void {
  let listener = listeners.get(signal);
  if (listener === undefined) {
    listener = new Listener(signal);
    listeners.set(signal, listener);
  }
  listener.add(wait);
  // Aborted by then: there is no event any more, or it came before the wait was in the set.
  if (signal.aborted) void Promise.resolve().then(() => listener.handleEvent());
}

/** Ends that. The last wait of a signal takes the listener off. */
export function offAbort(signal: AbortSignal, wait: Abortable): void {
  listeners.get(signal)?.remove(wait);
}
