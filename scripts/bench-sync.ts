// A list of 10,000 instances taken into the roster of a whole daemon, whose cloud and connections are pretended.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose, type Daemon } from '../src/daemon/daemon.js';
import { parseConfig } from '../src/config/load.js';
import { ensureSecrets } from '../src/config/secrets.js';
import { systemClock } from '../src/domain/clock.js';
import { instanceSetIdOf } from '../src/domain/ids.js';
import type { Instance } from '../src/domain/instance.js';
import type { Driver } from '../src/drivers/driver.js';
import { createLog } from '../src/observability/log.js';
import { ExecutorError, type Executor } from '../src/ssh/executor.js';
import { measureTurns, type TurnFigures } from './bench-turns.js';

const instances = 10_000;

/** As each list makes them: new objects every time. `round` changes the tag of one in a hundred. */
function listed(round: number, setId: string): Instance[] {
  return Array.from({ length: instances }, (_, index) => ({
    id: `i-${index.toString(16).padStart(17, '0')}`,
    displayName: `i-${index}`,
    providerType: 't3.micro',
    address: '10.0.0.7',
    remoteUser: 'root',
    tags: {
      ArvadosInstanceSetID: setId,
      ArvadosInstanceType: 'small',
      ArvadosIdleBehavior: 'run',
      ArvadosInstanceSecret: `sha256:${index.toString(16).padStart(64, '0')}`,
      note: index % 100 === 0 ? String(round) : '0',
    },
    priceHistory: [],
  }));
}

/** The first list of a daemon that is in service otherwise, and later lists in which one instance in a hundred changed. */
export async function benchSync(): Promise<{ first: TurnFigures; later: TurnFigures }> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-sync-'));
  let list: Instance[] = [];
  let answer!: () => void;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const driver: Driver = {
    name: 'bench',
    create: () => Promise.reject(new Error('none')),
    list: () => answered.then(() => list),
    destroy: () => Promise.resolve(),
    setTags: () => Promise.resolve(),
    verifyHostKey: () => Promise.resolve(true),
    priceHistory: () => [],
    quotaGroup: () => '',
    stop: () => Promise.resolve(),
  };
  const refuse = () => Promise.reject(new ExecutorError('refused', 'nobody is there'));
  const executor = {
    run: refuse,
    setTarget: () => {},
    close: () => Promise.resolve(),
  } as unknown as Executor;
  const text = `
clusterId: bench
stateDir: ./state
driver: loopback
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { syncInterval: 1h, maxProbesPerSecond: 1 }
api: { listen: '127.0.0.1:0' }
logLevel: silent`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'bench.yaml'), env: process.env }));
  const setId = instanceSetIdOf(config.systemRootToken);
  list = listed(0, setId);
  const options = {
    config,
    clock: systemClock,
    log: createLog('silent'),
    driver,
    executorFactory: () => executor,
  };
  const daemon: Daemon = await compose(options);
  while (daemon.role().state !== 'leading') await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const first = await measureTurns(async () => {
    answer();
    await daemon.pool.loaded();
  });
  const known = daemon.pool.instances().length;
  if (known !== instances) throw new Error(`${known} instances are known`);
  const sync = async (round: number): Promise<TurnFigures> => {
    list = listed(round, setId);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return measureTurns(() => daemon.pool.sync.reconcile(list));
  };
  const later: TurnFigures[] = [];
  for (let round = 1; round <= 5; round++) later.push(await sync(round));
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
  return { first, later: later.sort((a, b) => a.ms - b.ms)[2]! };
}
