import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { QueueError } from '../queue.js';
import { storePath } from './store-url.js';

/** Says which process uses the store. */
interface Holder {
  pid: number;
  /** Clock ticks since boot at which it started, where the system tells: a pid alone may have a new owner. */
  began: string;
  /** The boot those ticks count from; `''` where the system does not tell. */
  boot: string;
}

/** The text of a lock file and what it says; `holder` is missing when it says nothing. */
interface Claim {
  text: string;
  holder: Holder | undefined;
}

const mostAttempts = 20;

/**
 * Makes this process the only user of the store; a lock whose process is dead is taken over, by one process only.
 * Returns the release. Throws {@link QueueError} `conflict` naming the holder, or `unavailable`.
 */
export function lockStore(url: string): () => void {
  const path = storePath(url);
  if (path === ':memory:') return () => {};
  const lockPath = `${path}.lock`;
  const mine = `${lockPath}.${process.pid}-${randomUUID()}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const text = writeClaim(mine);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      if (tryLink(mine, lockPath) || takeOver(path, lockPath, mine)) return () => release(lockPath, text);
    }
  } catch (cause) {
    if (cause instanceof QueueError) throw cause;
    const { message } = cause as Error;
    throw new QueueError('unavailable', `store lock ${lockPath} cannot be written: ${message}`, { cause });
  } finally {
    rmSync(mine, { force: true });
  }
  throw inUse(path, undefined);
}

/**
 * Replaces the lock of a dead process. The right to replace a lock is itself a file, named after that lock's text and
 * made by one process only; the lock is looked at again once it is held. When its maker died too, the right to
 * replace that file is sought the same way. False: things moved, so begin anew.
 */
function takeOver(path: string, lockPath: string, mine: string): boolean {
  const seen = readClaim(lockPath);
  if (!seen) return false;
  const rights: string[] = [];
  for (let claim: Claim | undefined = seen; claim !== undefined;) {
    if (claim.holder && isAlive(claim.holder)) throw inUse(path, claim.holder);
    const right = `${lockPath}.after-${createHash('sha256').update(claim.text).digest('hex').slice(0, 16)}`;
    rights.push(right);
    if (tryLink(mine, right)) {
      const isUnchanged = readClaim(lockPath)?.text === seen.text;
      if (isUnchanged) renameSync(mine, lockPath);
      // The lock comes first: whoever gets a right from now on sees that the lock is another one.
      for (const each of isUnchanged ? rights : [right]) rmSync(each, { force: true });
      return isUnchanged;
    }
    claim = readClaim(right);
  }
  return false;
}

function release(lockPath: string, text: string): void {
  if (readClaim(lockPath)?.text === text) rmSync(lockPath, { force: true });
}

/** Whole and on the disk before anyone can see it under the lock's name. */
function writeClaim(path: string): string {
  const holder: Holder = { pid: process.pid, began: statOf(process.pid).began, boot: bootId() };
  const text = JSON.stringify({ ...holder, nonce: randomUUID() });
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return text;
}

/** `undefined` when there is no such file. */
function readClaim(path: string): Claim | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { text, holder: parseHolder(text) };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, began, boot } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isSafeInteger(pid) || pid! <= 0) return undefined;
    return { pid: pid!, began: began ?? '', boot: boot ?? '' };
  } catch {
    // A lock that lost its text in a power cut: its process is gone with the power.
    return undefined;
  }
}

/** False when the name is taken. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function inUse(path: string, holder: Holder | undefined): QueueError {
  const who = holder ? `process ${holder.pid}` : 'another process';
  const text = `store ${path} is in use by ${who}: stop it, or give this daemon another store`;
  return new QueueError('conflict', text);
}

function isAlive({ pid, began, boot }: Holder): boolean {
  const present = bootId();
  if (boot !== '' && present !== '' && boot !== present) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const stat = statOf(pid);
  return stat.state !== 'Z' && (began === '' || stat.began === '' || stat.began === began);
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function statOf(pid: number): { state: string; began: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', began: fields[19] ?? '' };
  } catch {
    return { state: '', began: '' };
  }
}
