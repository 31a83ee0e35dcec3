import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../domain/clock.js';

/** Name of the cookie that keeps a browser logged in. */
export const sessionCookie = 'longshore_session';
/** A request that changes something and is known by its cookie alone must carry this header: no other site can add it. */
export const pageHeader = 'x-longshore-page';

const lifetimeMs = 12 * 60 * 60 * 1_000;

/**
 * Logins of browsers. A session is its expiry, signed with a key made from the management token: it outlives a restart
 * of the daemon, ends when the token changes, and tells nothing of the token.
 */
export class Sessions {
  readonly #key: Buffer;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(managementToken: string, clock: Pick<Clock, 'now'>) {
    this.#key = createHmac('sha256', managementToken).update('longshore page session').digest();
    this.#clock = clock;
  }

  /** A new session, as the cookie's value; ends after twelve hours. */
  open(): { value: string; expiresAt: number } {
    const expiresAt = this.#clock.now() + lifetimeMs;
    const claim = `${expiresAt}.${randomBytes(12).toString('base64url')}`;
    return { value: `${claim}.${this.#sign(claim)}`, expiresAt };
  }

  /** True for a session that this or an earlier process with the same token opened, and that has not ended. */
  isOpen(value: string): boolean {
    const dot = value.lastIndexOf('.');
    const claim = value.slice(0, Math.max(0, dot));
    const given = Buffer.from(value.slice(dot + 1));
    const wanted = Buffer.from(this.#sign(claim));
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false;
    return Number(claim.split('.')[0]) > this.#clock.now();
  }

  #sign(claim: string): string {
    return createHmac('sha256', this.#key).update(claim).digest('base64url');
  }
}
