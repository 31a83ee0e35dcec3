import type { AddressInfo, Socket } from 'node:net';
import { timingSafeEqual } from 'node:crypto';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Terminal } from './executor.js';
import { beginLine, endLine, unframeCommand } from './frame.js';
import ssh2, { type AuthContext, type Connection, type ServerChannel, type Session } from 'ssh2';

/** One command a client asked for. */
export interface SshCommandRequest {
  /** Without its frame; the server prints that. `''`: the login shell. */
  command: string;
  /** What the client wants it to run on. */
  terminal?: Terminal;
  env: Record<string, string>;
  user: string;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Aborts when the channel closes or the server stops. */
  signal: AbortSignal;
}

export interface SshServerOptions {
  host: string;
  /** 0: the system chooses. */
  port: number;
  /** OpenSSH private key text. */
  hostKey: string;
  /** OpenSSH public key lines. */
  authorizedKeys: readonly string[];
  /** `undefined`: any. */
  user?: string;
  /** Whether commands can run on a terminal. Default: no. */
  hasTerminals?: boolean;
  /** False: what this command prints goes out without its frame. Default: all are framed. */
  isFramed?(command: string): boolean;
  /** Resolves to the exit status, 0 to 255. A rejection is exit status 1 with the message on stderr. */
  run(request: SshCommandRequest): Promise<number>;
}

export interface SshServer {
  readonly port: number;
  readonly connections: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** A small SSH server that runs commands: what loopback instances and tests log in to. */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const allowed = options.authorizedKeys.map(parsePublicKey);
  const sockets = new Set<Socket>();
  const waiting = new WaitingLogins();
  const server = new ssh2.Server({ hostKeys: [options.hostKey], ident: 'longshore' }, (connection, info) => {
    connection.on('ready', () => waiting.end(`${info.ip} ${info.port}`));
    serve(connection, allowed, options);
  });
  // ssh2 offers no other way to its sockets; without noDelay each command waits for a delayed acknowledgement.
  const tcp = (
    server as unknown as { _srv: { on(event: 'connection', listener: (socket: Socket) => void): void } }
  )._srv;
  tcp.on('connection', (socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    const peer = `${socket.remoteAddress} ${socket.remotePort}`;
    waiting.begin(peer, socket);
    socket.on('close', () => {
      sockets.delete(socket);
      waiting.end(peer);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  server.on('error', () => {});
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get connections() {
      return sockets.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const longestLoginMs = 20_000;
const mostLogins = 64;

/** Connections of which it is not known yet whose they are: few, and not for long. */
class WaitingLogins {
  readonly #logins = new Map<string, { socket: Socket; timer: NodeJS.Timeout }>();

  begin(peer: string, socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), longestLoginMs);
    timer.unref();
    this.#logins.set(peer, { socket, timer });
    if (this.#logins.size <= mostLogins) return;
    // Who has the key logs in at once: the oldest is the least likely to.
    const [oldest, { socket: idle }] = this.#logins.entries().next().value!;
    this.end(oldest);
    idle.destroy();
  }

  end(peer: string): void {
    clearTimeout(this.#logins.get(peer)?.timer);
    this.#logins.delete(peer);
  }
}

function parsePublicKey(line: string): ssh2.ParsedKey {
  const parsed = ssh2.utils.parseKey(line);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ssh2.ParsedKey | Error | undefined;
  if (!key || key instanceof Error) throw new Error('an authorized key cannot be read', { cause: key });
  return key;
}

function serve(connection: Connection, allowed: ssh2.ParsedKey[], options: SshServerOptions): void {
  let user = '';
  const closing = new AbortController();
  connection.on('error', () => {});
  connection.on('close', () => closing.abort());
  connection.on('authentication', (context) => {
    user = context.username;
    if (isAllowed(context, allowed, options.user)) context.accept();
    else context.reject(['publickey']);
  });
  connection.on('ready', () => {
    connection.on('session', (accept) => serveSession(accept(), user, closing.signal, options));
  });
}

function isAllowed(context: AuthContext, allowed: ssh2.ParsedKey[], user: string | undefined): boolean {
  if (context.method !== 'publickey' || (user !== undefined && context.username !== user)) return false;
  return allowed.some((key) => {
    const wanted = key.getPublicSSH();
    if (wanted.length !== context.key.data.length || !timingSafeEqual(wanted, context.key.data)) return false;
    if (!context.signature) return true;
    return key.verify(context.blob!, context.signature, context.hashAlgo) === true;
  });
}

function serveSession(session: Session, user: string, closing: AbortSignal, options: SshServerOptions): void {
  const env: Record<string, string> = {};
  session.on('env', (accept, _reject, info) => {
    env[info.key] = (info as unknown as { val: string }).val;
    accept?.();
  });
  let terminal: Terminal | undefined;
  session.on('pty', (accept, reject, { cols, rows, ...info }) => {
    if (!options.hasTerminals) return void reject?.();
    terminal = { name: (info as unknown as { term?: string }).term ?? 'dumb', columns: cols, rows };
    accept?.();
  });
  const serve = (accept: () => ServerChannel, command: string): void =>
    void serveCommand(accept(), { command, env, user, ...(terminal && { terminal }) }, closing, options);
  session.once('exec', (accept, _reject, info) => serve(accept, info.command));
  session.once('shell', (accept) => serve(accept, ''));
}

async function serveCommand(
  channel: ServerChannel,
  asked: Pick<SshCommandRequest, 'command' | 'terminal' | 'env' | 'user'>,
  closing: AbortSignal,
  options: SshServerOptions,
): Promise<void> {
  const closed = new AbortController();
  channel.on('close', () => closed.abort());
  channel.on('error', () => {});
  const signal = AbortSignal.any([closed.signal, closing]);
  const unframed = unframeCommand(asked.command);
  const framed = unframed && (options.isFramed?.(unframed.command) ?? true) ? unframed : undefined;
  if (framed) for (const stream of [channel.stderr, channel]) stream.write(beginLine(framed.marker));
  let status: number;
  try {
    // A stream of its own: reading a duplex to its end by iteration would destroy the way back as well.
    const stdin = channel.pipe(new PassThrough());
    status = await options.run({
      ...asked,
      ...(unframed && { command: unframed.command }),
      stdin,
      stdout: channel,
      stderr: channel.stderr,
      signal,
    });
  } catch (error) {
    status = 1;
    if (!closed.signal.aborted)
      channel.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  if (closed.signal.aborted) return;
  if (framed) for (const stream of [channel.stderr, channel]) stream.write(endLine(framed.marker, status));
  channel.exit(status);
  channel.end();
}
