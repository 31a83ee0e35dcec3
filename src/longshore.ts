import closeWithGrace from 'close-with-grace';
import { processOutput } from './cli/output.js';
import { runProgram, type ServeOptions } from './cli/program.js';
import { compose } from './daemon/daemon.js';
import { copyToConfigured, migrateConfigured, storeFiles } from './daemon/store-admin.js';
import { checkClusterFiles } from './config/cluster-files.js';
import { loadConfig } from './config/load.js';
import { ensureSecrets } from './config/secrets.js';
import { systemClock } from './domain/clock.js';
import { fewDescriptorsFor } from './daemon/descriptor-limit.js';
import { answerHangUp } from './daemon/hang-up.js';
import { parseInspectChoice } from './inspector/inspect-choice.js';
import { createLog } from './observability/log.js';
import { machineChart } from './machines/inspection/machine-chart.js';
import { notifyServiceManager } from './daemon/systemd-notify.js';
import { version } from './daemon/version.js';

const stopGraceMs = 20_000;
const offersTimeoutMs = 5 * 60_000;
/** `cloudtest` needs no management token. */
const cloudTestSecrets = [
  'systemRootToken',
  'dispatchPrivateKey',
  'storePassword',
  'driverParameters',
] as const;

/** Runs the daemon until a signal; containers and instances continue. */
async function serve(configPath: string, { inspect, inspectPort }: ServeOptions): Promise<number> {
  const loaded = loadConfig(configPath);
  checkClusterFiles(loaded);
  const { api, ...rest } = ensureSecrets(loaded);
  const config = { ...rest, api: { ...api, inspectPort: inspectPort ?? api.inspectPort } };
  const choice =
    inspect === undefined ? {} : { inspect: parseInspectChoice(inspect, [...config.instanceTypes.keys()]) };
  const log = createLog(config.logLevel);
  const shortage = fewDescriptorsFor(config.pool.maxInstances);
  if (shortage !== undefined) log.warn({ component: 'config', shortage }, 'low limit of file descriptors');
  let stop = (): void => process.exit(1);
  answerHangUp(log, () => stop());
  const daemon = await compose({ config, clock: systemClock, log, ...choice });
  const notify = async (word: 'ready' | 'stopping', status: string): Promise<void> => {
    const fault = await notifyServiceManager(word, status, process.env);
    if (fault !== undefined) log.warn({ word, fault }, 'systemd notification failed');
  };
  await notify('ready', `in service at ${daemon.url}`);
  return new Promise((resolve) => {
    const options = { delay: stopGraceMs, logger: false as const, skip: ['SIGHUP' as const] };
    const { close } = closeWithGrace(options, async ({ err, signal }) => {
      if (err) log.fatal({ err }, 'uncaught exception');
      log.info({ signal }, 'stopping; containers and instances continue');
      await Promise.all([notify('stopping', 'stopping'), daemon.stop()]);
      log.info('stopped');
      resolve(err ? 1 : 0);
    });
    stop = close;
  });
}

/** The first Ctrl-C ends the command cleanly; the second ends the process. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      processOutput.error('\nending; Ctrl-C again ends at once, without cleaning up\n');
      controller.abort();
    });
  }
  return controller.signal;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader closed the pipe.
  if (error.code === 'EPIPE') process.exit(0);
});
process.exitCode = await runProgram(process.argv.slice(2), {
  serve,
  machineChart,
  stores: {
    migrate: (configPath) => migrateConfigured(loadConfig(configPath, process.env, ['storePassword'])),
    copy: (configPath, from, progress) =>
      copyToConfigured(loadConfig(configPath, process.env, ['storePassword']), from, progress),
  },
  storeFiles: {
    check: (configPath) => storeFiles.check(loadConfig(configPath, process.env, [])),
    backUp: (configPath, file) => storeFiles.backUp(loadConfig(configPath, process.env, []), file),
    restore: (configPath, file) => storeFiles.restore(loadConfig(configPath, process.env, []), file),
    init: (configPath, isForced) => storeFiles.init(loadConfig(configPath, process.env, []), isForced),
  },
  cloudTest: {
    run: async (configPath, request, signal) => {
      const config = ensureSecrets(loadConfig(configPath, process.env, cloudTestSecrets));
      const { runCloudTest } = await import('./cloudtest/run-cloud-test.js');
      return runCloudTest(config, systemClock, request, signal);
    },
    interrupted,
  },
  forecastParts: async () => ({
    ...(await import('./simulation/forecast/forecast.js')),
    tables: await import('./simulation/forecast/table.js'),
  }),
  replayFile: async (path, instance) =>
    (await import('./journal/replay/replay-file.js')).replayFile(path, instance),
  inspectReplay: async (replay, port, warn) =>
    (await import('./inspector/replay-inspector.js')).startReplayInspector(replay, port, warn),
  offeredTypes: async (driver, parameters, query) => {
    const { offeredTypes } = await import('./drivers/offered-types.js');
    return offeredTypes(driver, parameters, query, AbortSignal.timeout(offersTimeoutMs));
  },
  version,
  output: processOutput,
  env: process.env,
});
