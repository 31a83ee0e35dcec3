import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HostHabits, ZooHost } from './host.js';
import type { Kind } from './kind.js';
import type { Site } from './world.js';

const relay = fileURLToPath(new URL('cloud-driver.mjs', import.meta.url));

interface Machine {
  id: string;
  type: string;
  address: string;
  user: string;
  tags: Record<string, string>;
}

interface Request {
  id: number;
  method: string;
  params?: {
    id?: string;
    tags?: Record<string, string>;
    initCommand?: string;
    instanceType?: { providerType: string };
  };
}

/** A provider whose machines are hosts of the zoo; the daemon's driver program only carries lines to and fro. */
export class ZooCloud implements Site {
  readonly #kind: Kind;
  readonly #make: (name: string, habits: HostHabits) => Promise<ZooHost>;
  readonly #server: Server;
  readonly #path: string;
  readonly #machines = new Map<string, { machine: Machine; host: ZooHost }>();
  readonly #sockets = new Set<Socket>();
  #last = 0;
  #isClosed = false;

  private constructor(
    path: string,
    kind: Kind,
    make: (name: string, habits: HostHabits) => Promise<ZooHost>,
  ) {
    this.#path = path;
    this.#kind = kind;
    this.#make = make;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async open(
    folder: string,
    kind: Kind,
    make: (name: string, habits: HostHabits) => Promise<ZooHost>,
  ): Promise<ZooCloud> {
    const cloud = new ZooCloud(join(folder, 'cloud'), kind, make);
    await new Promise<void>((resolve, reject) => {
      cloud.#server.on('error', reject);
      cloud.#server.listen(cloud.#path, resolve);
    });
    return cloud;
  }

  get driver(): string {
    return `driver: exec
driverParameters:
  command: ['${process.execPath}', '${relay}', '${this.#path}']
  processes: 2`;
  }

  hosts(): ZooHost[] {
    return [...this.#machines.values()].map(({ host }) => host);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await Promise.all(this.hosts().map((host) => host.remove()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      const request = JSON.parse(line) as Request;
      const reply = (answer: object): void => {
        if (socket.writable) socket.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
      };
      this.#answer(request).then(
        (result) => reply({ result }),
        (error: unknown) => reply({ error: { code: 'unavailable', message: String(error) } }),
      );
    });
  }

  async #answer({ method, params = {} }: Request): Promise<object> {
    const { id = '', tags = {} } = params;
    switch (method) {
      case 'hello':
        return { protocol: 1, name: 'zoo' };
      case 'create':
        return this.#create(params);
      case 'list':
        return { instances: [...this.#machines.values()].map(({ machine }) => machine) };
      case 'setTags': {
        const known = this.#machines.get(id);
        if (known) known.machine.tags = tags;
        return {};
      }
      case 'destroy': {
        const known = this.#machines.get(id);
        this.#machines.delete(id);
        await known?.host.remove();
        return {};
      }
      default:
        throw new Error(`unknown method ${method}`);
    }
  }

  /** Of a kind that cannot do work the first machine only. */
  async #create({
    tags = {},
    initCommand = '',
    instanceType,
  }: NonNullable<Request['params']>): Promise<Machine> {
    const number = ++this.#last;
    const isOdd = this.#kind.outcome.is === 'works' || number === 1;
    const id = `${isOdd ? 'odd' : 'plain'}-${number}`;
    const host = await this.#make(id, isOdd ? this.#kind.habits : {});
    if (this.#isClosed) {
      await host.remove();
      throw new Error('closed');
    }
    await host.sh(initCommand);
    const machine = { id, type: instanceType!.providerType, address: host.address, user: host.user, tags };
    this.#machines.set(id, { machine, host });
    return machine;
  }
}
