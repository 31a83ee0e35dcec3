// The daemon under attack: the real one, on a cloud of others, which measures itself.
import { compose } from '../../src/daemon/daemon.js';
import { loadConfig } from '../../src/config/load.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { systemClock } from '../../src/domain/clock.js';
import { createLog } from '../../src/observability/log.js';
import { remoteDriver } from '../../scripts/remote-cloud.js';
import { startMeter, type Measured } from './meter.js';

/** From this process. */
export type FromDaemon = { type: 'url'; url: string } | ({ type: 'measured' } & Measured);

const [configPath = '', cloudUrl = ''] = process.argv.slice(2);
const send = (message: FromDaemon): void => void process.send?.(message);
const config = ensureSecrets(loadConfig(configPath));
const log = createLog(config.logLevel);
const driver = remoteDriver(cloudUrl, 'daemon');
const daemon = await compose({ config, clock: systemClock, log, driver });
send({ type: 'url', url: daemon.url });
startMeter((measured) => send({ type: 'measured', ...measured }));
process.on('disconnect', () => process.exit(0));
