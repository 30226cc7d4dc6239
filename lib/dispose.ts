/**
 * The keys of what `using` and `await using` call. In a `vm` context of Node 20 (Jest's and vitest's are such) there is
 * no `Symbol.dispose`: there the keys are those that the helpers of Babel, esbuild and oxc look for, which compile
 * `using` for it. Nothing in this package calls by these keys.
 */

/** `Symbol.dispose`, where there is one. */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');

/** `Symbol.asyncDispose`, where there is one. */
export const ASYNC_DISPOSE: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
