// A cloud as a process of its own: loopback instances that live on when a daemon dies, and what each daemon did to them.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Instance } from '../src/domain/instance.js';
import { systemClock } from '../src/domain/clock.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../src/drivers/driver.js';
import { LoopbackDriver } from '../src/drivers/loopback/loopback-driver.js';
import type { DriverErrorCode } from '../src/domain/driver-error-code.js';

export interface Order {
  by: string;
  call: 'create' | 'destroy' | 'setTags';
  at: number;
}

export interface RemoteCloud {
  url: string;
  orders: Order[];
  instances(): Promise<Instance[]>;
  close(): Promise<void>;
}

type Call = [name: 'create' | 'list' | 'destroy' | 'setTags' | 'verifyHostKey', ...rest: unknown[]];

const never = new AbortController().signal;

/** Serves loopback instances in the folder to daemons that come by HTTP. */
export async function startRemoteCloud(folder: string, maxInstances: number): Promise<RemoteCloud> {
  const parameters = { maxInstances, bootDelayMs: 0 };
  return serveCloud(new LoopbackDriver({ parameters, folder, clock: systemClock }));
}

/** Serves the driver's instances to daemons that come by HTTP; closing destroys them and stops the driver. */
export async function serveCloud(driver: Driver): Promise<RemoteCloud> {
  const orders: Order[] = [];
  const server: Server = createServer((request, response) => {
    void text(request).then(async (body) => {
      const { by, call } = JSON.parse(body) as { by: string; call: Call };
      const [name] = call;
      if (name === 'create' || name === 'destroy' || name === 'setTags')
        orders.push({ by, call: name, at: Date.now() });
      try {
        response.end(JSON.stringify({ result: (await carryOut(driver, call)) ?? null }));
      } catch (error) {
        const { code, message } = DriverError.from(error);
        response.end(JSON.stringify({ code, message }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    orders,
    instances: () => driver.list({}, { signal: never }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      for (const { id } of await driver.list({}, { signal: never }))
        await driver.destroy(id, { signal: never });
      await driver.stop();
    },
  };
}

function carryOut(driver: Driver, [name, ...rest]: Call): Promise<unknown> {
  const options = { signal: never };
  switch (name) {
    case 'create':
      return driver.create(rest[0] as CreateSpec, options);
    case 'list':
      return driver.list({}, options);
    case 'destroy':
      return driver.destroy(rest[0] as string, options);
    case 'setTags':
      return driver.setTags(rest[0] as string, rest[1] as Record<string, string>, options);
    case 'verifyHostKey':
      return driver.verifyHostKey(rest[0] as Instance, Buffer.from(rest[1] as string, 'base64'), options);
  }
}

/** The driver of a daemon that uses such a cloud. */
export function remoteDriver(url: string, by: string): Driver {
  const ask = async <T>({ signal }: CallOptions, ...call: Call): Promise<T> => {
    let reply: { result?: T; code?: DriverErrorCode; message?: string };
    try {
      const response = await fetch(url, { method: 'POST', body: JSON.stringify({ by, call }), signal });
      reply = (await response.json()) as typeof reply;
    } catch (cause) {
      throw new DriverError(signal.aborted ? 'aborted' : 'unavailable', 'the cloud did not answer', {
        cause,
      });
    }
    if (reply.code !== undefined) throw new DriverError(reply.code, reply.message ?? '');
    return reply.result as T;
  };
  return {
    name: 'remote',
    create: (spec, options) => ask(options, 'create', spec),
    list: (_tags, options) => ask(options, 'list'),
    destroy: async (id, options) => void (await ask(options, 'destroy', id)),
    setTags: async (id, tags, options) => void (await ask(options, 'setTags', id, tags)),
    verifyHostKey: async (instance, key, options) => {
      const text = Buffer.from(key).toString('base64');
      return (await ask<boolean | null>(options, 'verifyHostKey', instance, text)) ?? undefined;
    },
    priceHistory: () => [],
    quotaGroup: () => '',
    stop: () => Promise.resolve(),
  };
}
