// What the threads of a process do with the processors, by /proc.
import { readdirSync, readFileSync } from 'node:fs';

function orNull(read, path) {
  try {
    return read(path, 'utf8');
  } catch {
    return null; // the process, or this thread of it, has ended
  }
}

/** By thread: nanoseconds on a processor, and waiting for one. */
export function threadTimes(pid) {
  const times = new Map();
  for (const tid of orNull(readdirSync, `/proc/${pid}/task`) ?? []) {
    const folder = `/proc/${pid}/task/${tid}`;
    const schedstat = orNull(readFileSync, `${folder}/schedstat`);
    const name = orNull(readFileSync, `${folder}/comm`)?.trim();
    if (!schedstat || !name) continue;
    const [ran, waited] = schedstat.split(' ').map(Number);
    times.set(tid, { ran, waited, name });
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
