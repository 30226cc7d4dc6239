// What the threads of a process do with the processors, by /proc.
import { readdirSync, readFileSync } from 'node:fs';

/** By thread: nanoseconds on a processor, and waiting for one. Empty for a process that has ended. */
export function threadTimes(pid) {
  const times = new Map();
  try {
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${tid}`;
      const [ran, waited] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ').map(Number);
      times.set(tid, { ran, waited, name: readFileSync(`${folder}/comm`, 'utf8').trim() });
    }
  } catch {
    // It has ended, or this thread of it has.
  }
  return times;
}

/** Threads that never slept in between, and ran when they were let. */
export function spinning(before, after, ms) {
  const found = [];
  for (const [tid, { ran, waited, name }] of after) {
    const earlier = before.get(tid);
    if (!earlier) continue;
    const ranMs = (ran - earlier.ran) / 1e6;
    const waitedMs = (waited - earlier.waited) / 1e6;
    if (ranMs + waitedMs > 0.9 * ms && ranMs > 0.1 * ms) {
      found.push(`${name} (thread ${tid}) ran ${Math.round(ranMs)} of ${Math.round(ms)} ms`);
    }
  }
  return found;
}
