/**
 * Taking what is held until it is released, permits and shares: from a want to a guard, in each verb's way.
 *
 * @internal
 */
import type { AcquireOptions } from './arguments.js';
import type { ObjectCore, Want } from './waiter.js';

/** A want of which a guard comes. */
export interface Claim<Guard> extends Want {
  /** There from `took()` on. */
  guard: Guard | null;
  took(outcome: number): void;
  /** As though it had never been had: its promise was aborted in the same breath. Must not throw. */
  undo(): void;
  refuseDeadlock(): void;
  /** Throws where a promise of it would wait for a `with()` that the caller is inside of. */
  refuseOwnWait(): void;
}

/** The guard, or `null`: not to be had at once. */
export function claimNow<Guard>(core: ObjectCore, claim: Claim<Guard>): Guard | null {
  core.tryNow(claim);
  return claim.guard;
}

/** Blocks the thread. */
export function claimSync<Guard>(core: ObjectCore, claim: Claim<Guard>, timeoutMs: number): Guard {
  const guard = claimNow(core, claim);
  if (guard !== null) return guard;
  if (timeoutMs <= 0) throw core.timedOut(timeoutMs);
  core.waitSync(claim, timeoutMs);
  if (claim.guard === null) throw core.timedOut(timeoutMs);
  return claim.guard;
}

/** Waits without blocking. Whatever goes wrong is a rejection. */
export async function claimLater<Guard>(
  core: ObjectCore,
  claim: Claim<Guard>,
  options: AcquireOptions | undefined,
): Promise<Guard> {
  const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY;
  const signal = options?.signal;
  if (signal?.aborted) throw signal.reason;
  if (claimNow(core, claim) === null) {
    if (timeoutMs <= 0) throw core.timedOut(timeoutMs);
    if (timeoutMs === Number.POSITIVE_INFINITY) claim.refuseOwnWait();
    await core.wait(claim, { timeoutMs, signal });
  } else if (signal !== undefined) {
    await null;
  }
  const { guard } = claim;
  if (signal?.aborted) {
    if (guard !== null) claim.undo();
    throw signal.reason;
  }
  if (guard === null) throw core.timedOut(timeoutMs);
  return guard;
}
