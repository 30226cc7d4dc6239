import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

interface Class {
  readonly base: string | undefined;
  readonly members: readonly string[];
}

/** The classes that a declaration file has, as the compiler formats it: a member a line, indented by four. */
function classesOf(file: string): Map<string, Class> {
  const classes = new Map<string, Class>();
  const text = readFileSync(join(dist, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const declaration =
    /^(?:export )?declare (?:abstract )?class (\w+)(?:<[\s\S]*?>)?(?: extends (\w+)[\s\S]*?)? ?(?:implements [^{]*)?\{\n([\s\S]*?)^\}/gm;
  for (const [, name = '', base, body = ''] of text.matchAll(declaration)) {
    const members = new Set<string>();
    for (const line of body.split('\n')) {
      if (line.startsWith('    private ')) continue;
      const member =
        /^ {4}((?:static |protected )*)(?:readonly |abstract |get |set )*([\w[\].]+)/.exec(line);
      if (member !== null) members.add(`${member[1]}${member[2]}`);
    }
    classes.set(name, { base, members: [...members].sort() });
  }
  return classes;
}

/** The names that an entry exports, classes or their types, and the file that each is from. */
function exportsOf(entry: string): [name: string, file: string][] {
  const text = readFileSync(join(dist, entry), 'utf8');
  return [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/(.*)\.js'/gm)].flatMap(
    ([, names = '', file]) =>
      names
        .split(',')
        .map((name) => [name.replace('type ', '').trim(), `${file}.d.ts`] as [string, string]),
  );
}

function publicClasses(entry: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, file] of exportsOf(entry)) {
    const declared = classesOf(file).get(name);
    if (declared === undefined) continue;
    const own = declared.members.join(' ');
    found[name] = declared.base === undefined ? own : `${declared.base}: ${own}`;
  }
  return found;
}

// What is not written here is no part of the package's contract: mark it @internal, or write it here.
const GUARD = '[ASYNC_DISPOSE] [DISPOSE]';

it('exported classes have the members that are written here, and no internal ones', () => {
  expect(publicClasses('index.d.ts')).toEqual({
    AllGuard: `${GUARD} guards release released`,
    Barrier:
      'SharedObject: abort broken constructor nWaiting parties reset toJSON unlink wait waitSync',
    BrokenBarrierError: 'HoldfastError: constructor',
    ClosedError: 'HoldfastError: constructor',
    Condition:
      'SharedObject: close constructor lock notify notifyAll toJSON unlink wait waitFor waitForSync ' +
      'waitSync with withSync',
    DeadlockError: 'HoldfastError: constructor',
    Event: 'SharedObject: clear constructor isSet set wait waitSync',
    HoldfastError: 'Error: code constructor',
    Lock: 'Exclusive: acquire acquireSync constructor toJSON tryAcquire with withSync',
    LockGuard: `${GUARD} abandoned release released token`,
    NotHeldError: 'HoldfastError: constructor',
    RLock: 'Exclusive: acquire acquireSync constructor depth toJSON tryAcquire with withSync',
    RWLock: 'SharedObject: constructor read readers write',
    ReadGuard: 'SideGuard: abandoned release released upgrade upgradeSync',
    ReadSide: 'Side: locked release',
    RegionError: 'HoldfastError: code constructor',
    Semaphore:
      'SharedObject: acquire acquireSync available constructor owned permits release tryAcquire with ' +
      'withSync',
    SemaphoreGuard: `${GUARD} permits release released`,
    SharedArray:
      'SharedMemoryObject: [Symbol.iterator] add and array at compareExchange constructor exchange get ' +
      'length load notify or set store sub wait waitSync xor',
    SharedValue:
      'SharedMemoryObject: add and compareExchange constructor exchange load notify or store sub value ' +
      'wait waitSync xor',
    TimeoutError: 'HoldfastError: constructor',
    UnlinkedError: 'HoldfastError: constructor',
    WriteGuard: 'SideGuard: abandoned downgrade release released token',
    WriteSide: 'Side: locked release',
  });
});

it('so have those of holdfast/posix', () => {
  expect(publicClasses('posix.d.ts')).toEqual({
    NamedSemaphore:
      '[DISPOSE] close constructor name post static unlink tryWait unlink value wait waitSync',
    RobustMutex:
      '[DISPOSE] close consistent constructor lockSync name static unlink tryLock unlink unlock',
    SharedMemory: '[DISPOSE] buffer close constructor name size static unlink unlink',
  });
});

it('so have the classes that they are derived from', () => {
  const bases = (file: string, name: string) => classesOf(file).get(name)?.members.join(' ');
  expect({
    Exclusive: bases('exclusive.d.ts', 'Exclusive'),
    SharedObject: bases('shared-object.d.ts', 'SharedObject'),
    SharedMemoryObject: bases('shared-memory.d.ts', 'SharedMemoryObject'),
    Side: bases('rwlock.d.ts', 'Side'),
    SideGuard: bases('rwlock-guard.d.ts', 'SideGuard'),
  }).toEqual({
    Exclusive: '[DISPOSE] close holder locked name release toJSON unlink',
    SharedObject: '[DISPOSE] close name toJSON unlink',
    SharedMemoryObject: 'close lock type unlink withLock withLockSync',
    Side: 'acquire acquireSync locked name release tryAcquire with withSync',
    SideGuard: '[ASYNC_DISPOSE] [DISPOSE] release released',
  });
});
