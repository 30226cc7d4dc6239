/** An error as the tests look at it: `code` is what callers branch on. */
export type Coded = Error & { code?: unknown };

function asError(thrown: unknown): Coded {
  if (!(thrown instanceof Error)) {
    throw new Error(`expected an Error to be thrown, got ${String(thrown)}`);
  }
  return thrown;
}

/** What `run` throws; it is a failure if it throws nothing. */
export function thrownBy(run: () => unknown): Coded {
  let value: unknown;
  try {
    value = run();
  } catch (thrown) {
    return asError(thrown);
  }
  throw new Error(`expected an error, but got ${String(value)}`);
}

/** What `run` rejects with (or throws at once); it is a failure if it succeeds. */
export async function rejectedBy(run: () => Promise<unknown>): Promise<Coded> {
  return asError(await reasonOf(run));
}

/** As `rejectedBy`, for reasons that need not be errors. */
export async function reasonOf(run: () => Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await run();
  } catch (thrown) {
    return thrown;
  }
  throw new Error(`expected a rejection, but got ${String(value)}`);
}

export const INVALID = 'ERR_HOLDFAST_INVALID_ARGUMENT';
