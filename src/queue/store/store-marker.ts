import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What the file beside an embedded store says of it, so that it is missed when it goes. */
export interface StoreMarker {
  /** The id that the database has as well; `''`: the marker cannot be read. */
  store: string;
  /** From the opening to the end of a clean stop: the write-ahead file is part of the store meanwhile. */
  isOpen: boolean;
  /** How far the store had got at least: its last revision, and the number of its last journal entry. */
  progress: StoreProgress;
}

/** Both only ever grow. */
export interface StoreProgress {
  revision: number;
  journal: number;
}

/** The path of the marker of the database at `path`. */
export function markerPath(path: string): string {
  return `${path}.id`;
}

/** `undefined`: no store was made here that has one. Throws what the file system does, except that it is not there. */
export function readMarker(path: string): StoreMarker | undefined {
  let text: string;
  try {
    text = readFileSync(markerPath(path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { store, isOpen, progress } = JSON.parse(text) as StoreMarker;
    const { revision, journal } = progress;
    if (typeof store === 'string' && Number.isFinite(revision) && Number.isFinite(journal)) {
      return { store, isOpen, progress: { revision, journal } };
    }
  } catch {
    // It says no more than that there is one.
  }
  return { store: '', isOpen: false, progress: { revision: 0, journal: 0 } };
}

/** Whole or not at all, and on the disk when this returns. Throws what the file system does. */
export function writeMarker(path: string, marker: StoreMarker): void {
  const draft = `${markerPath(path)}.new`;
  synced(openSync(draft, 'w', 0o600), (descriptor) =>
    writeFileSync(descriptor, `${JSON.stringify(marker)}\n`),
  );
  renameSync(draft, markerPath(path));
  synced(openSync(dirname(path), 'r'), () => {});
}

/** Notes how far the store has got, and that its main file is all of it, when `isOpen` is false. Throws as {@link writeMarker}. */
export function noteProgress(path: string, progress: StoreProgress, isOpen: boolean): void {
  const marker = readMarker(path);
  const { revision, journal } = progress;
  if (marker && marker.store !== '')
    writeMarker(path, { ...marker, isOpen, progress: { revision, journal } });
}

/** In bytes; `undefined`: there is no such file. */
export function fileSize(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function synced(descriptor: number, write: (descriptor: number) => void): void {
  try {
    write(descriptor);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
