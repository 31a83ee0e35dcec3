import type { WebSocket } from 'ws';
import {
  frame,
  jsonFrame,
  parseFrame,
  type ShellEnd,
  type ShellOpened,
  type ShellOrder,
  type ShellRefusal,
} from '../domain/shell-frames.js';
import { ClientError } from './client.js';
import { EscapeWatch } from './escape-watch.js';
import type { LocalTerminal } from './local-terminal.js';
import { printable } from './output.js';

const lostExitCode = 255;
const mostWaitingBytes = 1024 * 1024;
/** The daemon's maximum message size is 1 MiB. */
const longestPieceBytes = 256 * 1024;

/**
 * Connects this terminal to a session on an instance until it ends. Resolves to the exit status; rejects with
 * {@link ClientError} when no session opens. Restores the terminal afterwards.
 */
export function runRemoteSession(
  socket: WebSocket,
  order: ShellOrder,
  terminal: LocalTerminal,
): Promise<number> {
  const { stdin, stdout, stderr } = terminal;
  const undo: (() => void)[] = [];
  return new Promise<number>((resolve, reject) => {
    const lost = (why: string): void => {
      stderr.write(`longshore: ${printable(why)}\n`);
      resolve(lostExitCode);
    };
    socket.on('error', () => {});
    socket.on('close', () => lost('connection to the daemon lost'));
    socket.on('message', (message: Buffer) => {
      const parsed = parseFrame(message);
      if (parsed?.kind === 'stdout') show(socket, stdout, parsed.payload);
      else if (parsed?.kind === 'stderr') show(socket, stderr, parsed.payload);
      else if (parsed?.kind === 'opened')
        undo.push(...begin(socket, order, terminal, parsed.json() as ShellOpened, resolve));
      else if (parsed?.kind === 'ended') resolve(exitCodeOf(parsed.json() as ShellEnd, lost));
      else if (parsed?.kind === 'refused') {
        const { code, message: text } = parsed.json() as ShellRefusal;
        reject(new ClientError(`no session on the instance: ${text} (${code})`, 1));
      }
    });
    socket.send(jsonFrame('begin', order));
  }).finally(() => {
    for (const each of undo) each();
    stdin.pause();
    socket.removeAllListeners('close');
    socket.close();
  });
}

/** Forwards keys and size changes. */
function begin(
  socket: WebSocket,
  order: ShellOrder,
  terminal: LocalTerminal,
  { address, user, hostKey }: ShellOpened,
  end: (exitCode: number) => void,
): (() => void)[] {
  const { stdin, stderr } = terminal;
  const escape = order.terminal ? new EscapeWatch() : undefined;
  const onData = (chunk: Buffer): void => {
    const { passed, isLeaving } = escape?.take(chunk) ?? { passed: chunk, isLeaving: false };
    for (let from = 0; from < passed.length; from += longestPieceBytes) {
      socket.send(frame('stdin', passed.subarray(from, from + longestPieceBytes)), () => {
        if (socket.bufferedAmount < mostWaitingBytes) stdin.resume();
      });
    }
    if (socket.bufferedAmount >= mostWaitingBytes) stdin.pause();
    if (isLeaving) end(lostExitCode);
  };
  const onEnd = (): void => socket.send(frame('endOfInput'));
  stdin.on('data', onData).on('end', onEnd);
  const undo = [() => void stdin.off('data', onData).off('end', onEnd)];
  if (!order.terminal) return undo;
  stderr.write(`${printable(`${user}@${address}, host key ${hostKey}`)}\r\n`);
  const stopResize = terminal.onResize(() => socket.send(jsonFrame('resize', terminal.size())));
  return [...undo, stopResize, terminal.raw()];
}

function show(socket: WebSocket, to: NodeJS.WritableStream, bytes: Uint8Array): void {
  if (to.write(bytes)) return;
  socket.pause();
  to.once('drain', () => socket.resume());
}

function exitCodeOf({ exitCode, killedBy }: ShellEnd, lost: (why: string) => void): number {
  if (exitCode !== undefined) return exitCode;
  if (killedBy) lost(`ended by signal ${killedBy}`);
  else lost('connection to the instance lost');
  return lostExitCode;
}
