import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { readCaFile } from '../config/cluster-files.js';
import type { Clock } from '../domain/clock.js';
import { ControllerClient } from '../queue/controller/controller-client.js';
import { ControllerContainers } from '../queue/controller/controller-containers.js';
import { version } from './version.js';
import type { Orders } from './leader-session.js';
import { sizeBy } from './size-by.js';

/** Opens the queue of the configured controller, or returns `undefined` when there is none. Throws `ConfigError`. */
export function openController(
  config: Config,
  { clock, log, orders }: { clock: Clock; log: Logger; orders(): Orders },
): ControllerContainers | undefined {
  const { url, insecure, requestTimeoutMs, lookAhead } = config.controller;
  if (url === '') return undefined;
  const component = 'controller';
  return new ControllerContainers({
    client: new ControllerClient({
      url,
      token: config.systemRootToken,
      ca: readCaFile(config),
      isInsecure: insecure,
      timeoutMs: requestTimeoutMs,
      clock,
      userAgent: `longshore/${version}`,
    }),
    clock,
    clusterId: config.clusterId,
    lookAhead,
    size: sizeBy(config),
    observer: {
      fault: (ContainerUUID, err) => log.warn({ component, ContainerUUID, err }, 'container passed over'),
      dropped: ({ uuid, state }) => log.info({ component, ContainerUUID: uuid, state }, 'container dropped'),
      gone: (ContainerUUID) =>
        log.warn({ component, ContainerUUID }, 'container is not known there any more'),
    },
    placeOf: (uuid) => {
      if (!orders().isLeading) return undefined;
      const { pool } = orders().core;
      const running = pool.running().get(uuid);
      const view = running && pool.instance(running.instanceId);
      return view && { instanceId: view.instanceId, instanceTypeName: view.instanceType.name };
    },
    assertFollowing: () => orders().assertLeading(),
  });
}
