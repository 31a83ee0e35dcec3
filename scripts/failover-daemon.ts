// One of the daemons of scripts/failover: the real one, on a cloud that outlives it.
import { compose } from '../src/daemon/daemon.js';
import { loadConfig } from '../src/config/load.js';
import { ensureSecrets } from '../src/config/secrets.js';
import { systemClock } from '../src/domain/clock.js';
import { createLog } from '../src/observability/log.js';
import { remoteDriver } from './remote-cloud.js';

const [configPath = '', cloudUrl = '', name = ''] = process.argv.slice(2);
const config = ensureSecrets(loadConfig(configPath));
const log = createLog(config.logLevel);
const daemon = await compose({ config, clock: systemClock, log, driver: remoteDriver(cloudUrl, name) });
process.on('SIGTERM', () => void daemon.stop().then(() => process.exit(0)));
