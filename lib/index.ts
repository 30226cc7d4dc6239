/**
 * Locks between Node.js processes and worker threads of one machine that hold fast when a process
 * dies.
 *
 * @packageDocumentation
 */
export type { AcquireOptions, AcquireSyncOptions } from './arguments.js';
export {
  ClosedError,
  DeadlockError,
  HoldfastError,
  type HoldfastErrorCode,
  NotHeldError,
  RegionError,
  type RegionErrorCode,
  TimeoutError,
  UnlinkedError,
} from './errors.js';
export type { LockOptions, LockToken } from './exclusive.js';
export { type ForkWithArgsOptions, fork, forkArgs } from './fork.js';
export type { LockGuard } from './guard.js';
export type { LockHolder } from './holder.js';
export { Lock } from './lock.js';
export { type ConfigureOptions, configure, unlinkNamespace } from './region.js';
export { RLock } from './rlock.js';
export { open, pack, unpack } from './token.js';
