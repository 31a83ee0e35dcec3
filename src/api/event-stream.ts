import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

const beatMs = 15_000;
/** A browser whose unread backlog exceeds this is disconnected; it reconnects by itself. */
const longestBacklogBytes = 8 * 1024 * 1024;

/** A stream of server-sent events to one client. */
export interface EventStream {
  send(event: string, data: string, id?: string): void;
  /** Called once at the end, whatever the cause. */
  onEnd(callback: () => void): void;
}

/** Answers with server-sent events until the client disconnects or lags too far behind. */
export function eventStream(request: FastifyRequest, reply: FastifyReply): EventStream {
  const stream = new PassThrough();
  const beat = setInterval(() => write(': beat\n\n'), beatMs);
  const callbacks: (() => void)[] = [];
  const end = (): void => {
    clearInterval(beat);
    for (const callback of callbacks.splice(0)) callback();
    if (!stream.destroyed) stream.destroy();
  };
  const write = (text: string): void => {
    if (stream.destroyed) return;
    if (stream.writableLength + stream.readableLength > longestBacklogBytes) end();
    else stream.write(text);
  };
  request.raw.on('close', end);
  stream.on('error', end);
  write('retry: 1000\n\n');
  void reply
    .type('text/event-stream; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .send(stream);
  return {
    send: (event, data, id) =>
      write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`),
    onEnd: (callback) => void callbacks.push(callback),
  };
}
