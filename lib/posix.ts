/**
 * The bare POSIX objects, for sharing with programs in other languages: nothing of holdfast's lies beside them, and
 * they have no more than C gives. Between Node.js processes use `Semaphore`, `Lock` and `SharedArray` of `holdfast`:
 * those give back what a killed process held.
 *
 * @packageDocumentation
 */
export { NamedSemaphore, type NamedSemaphoreOptions } from './posix/named-semaphore.js';
export type { PosixOptions } from './posix/options.js';
export { type LockState, RobustMutex } from './posix/robust-mutex.js';
export { SharedMemory, type SharedMemoryOptions } from './posix/shared-memory.js';
