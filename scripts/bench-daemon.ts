import { join } from 'node:path';
import { compose, type Daemon } from '../src/daemon/daemon.js';
import { parseConfig } from '../src/config/load.js';
import { ensureSecrets } from '../src/config/secrets.js';
import { systemClock } from '../src/domain/clock.js';
import { createLog } from '../src/observability/log.js';

export const token = 'a-token-for-the-bench';

/** A daemon with one loopback instance; `more`: the rest of its configuration, in lines of YAML. */
export function startDaemon(folder: string, more: string): Promise<Daemon> {
  const text = `
clusterId: bench
managementToken: ${token}
stateDir: ./state
driver: loopback
driverParameters: { maxInstances: 1 }
pool: { bootProbeCommand: 'true', maxInstances: 1 }
api: { listen: '127.0.0.1:0' }
logLevel: silent
${more}`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'bench.yaml'), env: process.env }));
  return compose({ config, clock: systemClock, log: createLog('silent') });
}
