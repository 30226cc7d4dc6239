/**
 * An object's state as `console.log` shows it.
 *
 * @internal
 */
import { ClosedError, HoldfastError, UnlinkedError } from './errors.js';

/**
 * What `look` says, or in a few words why it cannot. Never throws, whatever has become of the object: what is printed is
 * most often an error's circumstances.
 */
export function inspected(look: () => string): string {
  try {
    return look();
  } catch (error) {
    if (error instanceof UnlinkedError) return 'unlinked';
    if (!(error instanceof HoldfastError)) return String(error);
    // With its namespace gone it has been closed by that.
    const isClosed = error instanceof ClosedError || error.code === 'ERR_HOLDFAST_REGION_GONE';
    return isClosed ? 'closed' : error.code;
  }
}
