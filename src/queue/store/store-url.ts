import { fileURLToPath } from 'node:url';
import { QueueError } from '../queue.js';

/** Where a store is, and the password when the address does not hold it. */
export interface StoreTarget {
  /** A path, `file:PATH`, `file:///PATH` or `:memory:` for the embedded store; `postgres://…` for PostgreSQL. */
  url: string;
  password?: string;
}

/** True for a store in PostgreSQL, which several daemons may share. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//i.test(url);
}

/** The path of an embedded store. Throws `invalid` for an address of another kind. */
export function storePath(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  if (url.startsWith('file:')) return url.slice('file:'.length);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1];
  if (scheme !== undefined) {
    throw new QueueError(
      'invalid',
      `store: "${scheme}" is not supported: give a path or postgres://HOST/DATABASE`,
    );
  }
  return url;
}

/** The store for people and logs: an address without user and password. */
export function storeName({ url }: StoreTarget): string {
  if (!isPostgresUrl(url)) return storePath(url);
  const match = /^[a-z]+:\/\/(?:[^@/]*@)?([^/?]*)\/?([^?]*)/i.exec(url);
  const host = decode(match?.[1] ?? '');
  return `PostgreSQL database ${decode(match?.[2] ?? '') || 'of the user'}${host === '' ? '' : ` at ${host}`}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
