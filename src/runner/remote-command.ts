import { isContainerUuid } from '../domain/ids.js';

/** A text that is no container id was about to go on a command line. */
export class UnsafeUuidError extends Error {
  constructor(text: string) {
    super(`${JSON.stringify(text.slice(0, 60))} is no container id`);
    this.name = 'UnsafeUuidError';
  }
}

/** The command as the login user has to write it. */
export function asRoot(command: string, remoteUser: string): string {
  return remoteUser === 'root' ? command : `sudo ${command}`;
}

/** The id as a shell word; ids need no quotes (K-26). Throws {@link UnsafeUuidError} for anything else. */
export function uuidWord(uuid: string): string {
  if (!isContainerUuid(uuid)) throw new UnsafeUuidError(uuid);
  return uuid;
}
