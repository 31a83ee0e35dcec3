import { afterEach } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import { soleMandate } from '../../../src/domain/leader-guard.js';
import {
  ControllerClient,
  type ControllerClientOptions,
} from '../../../src/queue/controller/controller-client.js';
import { ControllerContainers } from '../../../src/queue/controller/controller-containers.js';
import { sizeContainer } from '../../../src/policy/choose-types.js';
import { controllerToken, FakeController } from '../../support/fake-controller.js';
import { bare, typeT } from '../../support/scheduling-world.js';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export interface WorldOptions {
  client?: Partial<ControllerClientOptions>;
  clusterId?: string;
  lookAhead?: number;
  tls?: { key: string; cert: string };
}

/** A queue on a pretended controller, and what it told. */
export async function controllerWorld({ client = {}, clusterId, lookAhead, tls }: WorldOptions = {}) {
  const controller = await FakeController.start(tls);
  closers.push(() => controller.close());
  const told = { faults: [] as [string, string][], dropped: [] as string[], gone: [] as string[] };
  const types = [typeT(1), typeT(2)];
  const state = { isFollowing: true };
  const queue = new ControllerContainers({
    client: new ControllerClient({
      url: controller.url,
      token: controllerToken,
      ca: '',
      isInsecure: false,
      timeoutMs: 10_000,
      clock: systemClock,
      userAgent: 'longshore/test',
      ...client,
    }),
    clock: systemClock,
    clusterId: clusterId ?? 'zzzzz',
    lookAhead: lookAhead ?? 100,
    size: (container) => sizeContainer(container, types, bare),
    observer: {
      fault: (uuid, error) => void told.faults.push([uuid, String(error)]),
      dropped: ({ uuid }) => void told.dropped.push(uuid),
      gone: (uuid) => void told.gone.push(uuid),
    },
    placeOf: () => undefined,
    assertFollowing: () => {
      if (!state.isFollowing) throw new Error('another one follows');
    },
  });
  queue.lead(soleMandate);
  closers.push(() => queue.stop());
  return { controller, queue, told, state };
}

/** The states of what the queue knows, by the containers' numbers. */
export function states(queue: ControllerContainers): Record<number, string> {
  const entries = [...queue.entries().entries.values()];
  return Object.fromEntries(
    entries.map(({ container }) => [Number(container.uuid.slice(-15)), container.state]),
  );
}
