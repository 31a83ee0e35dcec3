import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { ZooCloud } from './cloud.js';
import { ZooDaemon } from './daemon.js';
import { ZooHost, type HostHabits } from './host.js';
import type { Kind } from './kind.js';

/** A daemon, one odd host, and a plain one beside it where the odd one is not to do the work. */
export interface ZooWorld {
  kind: Kind;
  daemon: ZooDaemon;
  /** The odd host; of a cloud the last one made. */
  odd(): ZooHost;
  /** All hosts there are. */
  hosts(): ZooHost[];
  /** How long a step may take. */
  stepMs: number;
  close(): Promise<void>;
}

const stepMs = 45_000;

/** Starts the hosts and the daemon of a kind. `program`: the daemon's. */
export async function openWorld(kind: Kind, program: readonly string[]): Promise<ZooWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-zoo-'));
  const key = generateKeyPair();
  const daemon = new ZooDaemon(join(folder, 'daemon'), program);
  const make = (name: string, habits: HostHabits): Promise<ZooHost> =>
    ZooHost.start({ name, habits, folder: join(folder, name), authorized: key.publicKey.trim() });
  const site =
    kind.by === 'cloud' ? await ZooCloud.open(folder, kind, make) : await openInventory(kind, make);
  const close = async (): Promise<void> => {
    await daemon.end('SIGKILL');
    await site.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    await daemon.configure(configOf(kind, site.driver), key.privateKey);
    await daemon.start();
  } catch (error) {
    await close();
    throw error;
  }
  const hosts = (): ZooHost[] => site.hosts();
  const odd = (): ZooHost => {
    const found = hosts().findLast(({ name }) => name.startsWith('odd'));
    if (!found) throw new Error('there is no odd host');
    return found;
  };
  return { kind, daemon, hosts, odd, stepMs: stepMs * (kind.patience ?? 1), close };
}

/** Where hosts come from. */
export interface Site {
  /** Lines of the configuration. */
  driver: string;
  hosts(): ZooHost[];
  close(): Promise<void>;
}

async function openInventory(
  kind: Kind,
  make: (name: string, habits: HostHabits) => Promise<ZooHost>,
): Promise<Site> {
  const hosts: ZooHost[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.remove()));
  };
  try {
    hosts.push(await make('odd', kind.habits));
    if (kind.outcome.is !== 'works') hosts.push(await make('plain', {}));
  } catch (error) {
    await close();
    throw error;
  }
  const inventory = hosts.map(
    ({ name, address, user, hostKey }) =>
      `    - { address: '${address}', name: ${name}, type: host, user: ${user}, hostKey: '${hostKey}' }`,
  );
  return {
    driver: ['driver: static', 'driverParameters:', '  hosts:', ...inventory].join('\n'),
    hosts: () => hosts,
    close,
  };
}

function configOf(kind: Kind, driver: string): string {
  const own = kind.pool ?? [];
  const keyOf = (line: string): string => line.split(':')[0]!;
  const common = [
    "bootProbeCommand: 'true'",
    'probeInterval: 1s',
    'syncInterval: 2s',
    'timeoutIdle: 5m',
    'timeoutBooting: 40s',
    'timeoutProbe: 30s',
    'timeoutShutdown: 3s',
    'timeoutTerm: 20s',
    'timeoutSignal: 2s',
    'commandTimeout: 20s',
    'maxInstances: 2',
    'bootFailureLimit: 0',
  ];
  const pool = [...common.filter((line) => !own.some((each) => keyOf(each) === keyOf(line))), ...own];
  return `${driver}
instanceTypes:
  host: { vcpus: 4, ram: 8GiB, includedScratch: 100GiB, price: 1 }
pool:
${pool.map((line) => `  ${line}`).join('\n')}
${(kind.config ?? []).join('\n')}
`;
}
