import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock } from '../domain/clock.js';
import { frame, jsonFrame, parseFrame, type FrameKind, type WindowSize } from '../domain/shell-frames.js';
import type { RemoteSession } from '../ssh/executor.js';

type SessionEnd = Awaited<RemoteSession['ended']>;

/** Limit of unsent bytes, above which the instance is paused. */
const mostWaitingBytes = 1024 * 1024;
const pingIntervalMs = 30_000;

/** Carries bytes between a user's web socket and a session on an instance, at the speed of the slower side. */
export class ShellBridge {
  /** Resolves to the end of the session, after it was sent; a closed socket ends the session. Never rejects. */
  readonly ended: Promise<SessionEnd>;
  readonly bytes = { bytesIn: 0, bytesOut: 0 };
  readonly #socket: WebSocket;
  readonly #session: RemoteSession;
  readonly #clock: Clock;
  #isAlive = true;
  #timer: unknown;

  /** Paused; resumed here. */
  constructor(socket: WebSocket, session: RemoteSession, clock: Clock) {
    this.#socket = socket;
    this.#session = session;
    this.#clock = clock;
    this.#forward('stdout', session.stdout);
    this.#forward('stderr', session.stderr);
    session.stdin.on('drain', () => socket.resume());
    session.stdin.on('error', () => {});
    socket.on('message', (message: Buffer) => this.#take(message));
    socket.on('pong', () => (this.#isAlive = true));
    socket.on('error', () => {});
    socket.once('close', () => session.close());
    if (socket.readyState !== socket.OPEN) session.close();
    this.ended = session.ended.then((end) => this.#finish(end));
    this.#ping();
    socket.resume();
  }

  #forward(kind: FrameKind, stream: Readable): void {
    stream.on('data', (chunk: Buffer) => {
      this.bytes.bytesOut += chunk.length;
      this.#socket.send(frame(kind, chunk), () => {
        if (this.#socket.bufferedAmount < mostWaitingBytes) stream.resume();
      });
      if (this.#socket.bufferedAmount >= mostWaitingBytes) stream.pause();
    });
  }

  #take(message: Buffer): void {
    const parsed = parseFrame(message);
    const { stdin } = this.#session;
    if (parsed?.kind === 'stdin') {
      this.bytes.bytesIn += parsed.payload.length;
      if (!stdin.write(parsed.payload)) this.#socket.pause();
    } else if (parsed?.kind === 'endOfInput') stdin.end();
    else if (parsed?.kind === 'resize') this.#resize(parsed.json);
    else this.#socket.close(1002, 'unknown message');
  }

  #resize(json: () => unknown): void {
    try {
      const { columns, rows } = json() as Partial<WindowSize>;
      if (isSize(columns) && isSize(rows)) this.#session.resize(columns, rows);
    } catch {
      this.#socket.close(1002, 'invalid size');
    }
  }

  /** A socket without a response is closed, even if the network reports no error. */
  #ping(): void {
    this.#timer = this.#clock.setTimeout(() => {
      if (!this.#isAlive) return this.#socket.terminate();
      this.#isAlive = false;
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      this.#ping();
    }, pingIntervalMs);
  }

  #finish(end: SessionEnd): SessionEnd {
    this.#clock.clearTimeout(this.#timer);
    this.#socket.send(jsonFrame('ended', end), () => this.#socket.close());
    return end;
  }
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 10_000;
}
