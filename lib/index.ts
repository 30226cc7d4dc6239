/**
 * Locks and their family between the Node.js processes and worker threads of one machine, which hold
 * fast when a process dies.
 *
 * @packageDocumentation
 */
export type { AcquireOptions, AcquireSyncOptions } from './arguments.js';
export { Barrier, type BarrierOptions, type BarrierToken } from './barrier.js';
export { Condition, type ConditionOptions, type ConditionToken } from './condition.js';
export type {
  ElementArray,
  ElementArrays,
  ElementType,
  ElementValue,
  IntegerType,
  IntegerValue,
  WaitableType,
  WaitableValue,
} from './element-type.js';
export {
  BrokenBarrierError,
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
export { Event } from './event.js';
export type { LockOptions, LockToken } from './exclusive.js';
export { type ForkWithArgsOptions, fork, forkArgs } from './fork.js';
export type { LockGuard } from './guard.js';
export type { LockHolder } from './holder.js';
export { Lock, type Settled } from './lock.js';
export { type ConfigureOptions, configure, unlinkNamespace } from './region.js';
export { RLock } from './rlock.js';
export { type ReadSide, RWLock, type WriteSide } from './rwlock.js';
export type { ReadGuard, WriteGuard } from './rwlock-guard.js';
export {
  Semaphore,
  type SemaphoreGuard,
  type SemaphoreOptions,
  type SemaphoreWithOptions,
  type SemaphoreWithSyncOptions,
} from './semaphore.js';
export { SharedArray } from './shared-array.js';
export type { WaitResult } from './shared-memory.js';
export { SharedValue } from './shared-value.js';
export {
  type OpenOptions,
  open,
  pack,
  type SharedObjectOf,
  type TokenKind,
  type TokenOf,
  unpack,
} from './token.js';
export {
  type AllGuard,
  acquireAll,
  acquireAllSync,
  type GuardOf,
  type GuardsOf,
  type Lockable,
  withAll,
  withAllSync,
} from './with-all.js';
