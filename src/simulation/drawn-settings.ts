import type { SeededRandom } from './seeded-random.js';

/** Values of one setting as YAML; the daemon must do right with each of them, and with all of them together. */
type Choices = readonly string[];

/** Midnight is the start of every run; instances that stand ready in the small hours go again before its end. */
const warmAtNight = `[{ instanceType: small, idle: 1, schedule: '* 2-3 * * *', timezone: UTC }]`;

/** Every setting that matters to what the simulation runs, by its path in the configuration file. */
export const drawnSettings: Readonly<Record<string, Choices>> = {
  'pool.tagKeyPrefix': ['Arvados', 'Fleet'],
  'pool.plainSecretTag': ['false', 'true'],
  'pool.resourceTags': ['{}', '{ team: blue }'],
  'pool.imageId': [`''`, 'image-1'],
  'pool.instanceInitCommand': [`''`, 'mount -a'],
  'pool.bootProbeCommand': [`''`, `'true'`, 'systemctl is-system-running'],
  'pool.probeInterval': ['5s', '10s', '30s', '2m'],
  'pool.maxProbesPerSecond': ['auto', '1', '3', '1000'],
  'pool.syncInterval': ['10s', '20s', '1m', '3m'],
  'pool.timeoutIdle': ['1s', '20s', '1m', '10m'],
  'pool.timeoutBooting': ['3m', '10m'],
  'pool.bootStageTimeouts.requested': ['0', '4m'],
  'pool.bootStageTimeouts.addressed': ['0', '2m'],
  'pool.bootStageTimeouts.connected': ['0', '4m'],
  'pool.bootStageTimeouts.verified': ['0', '2m'],
  'pool.bootStageTimeouts.booted': ['0', '4m'],
  'pool.bootStageTimeouts.copied': ['0', '2m'],
  'pool.timeoutProbe': ['2m', '10m', '30m'],
  'pool.timeoutShutdown': ['2s', '10s', '1m'],
  'pool.timeoutTerm': ['20s', '2m', '10m'],
  'pool.timeoutSignal': ['1s', '5s', '30s'],
  'pool.timeoutStaleRunLock': ['1s', '5s', '1m'],
  'pool.timeoutCollect': ['30s', '10m', '1h'],
  'pool.maxFailedStarts': ['0', '1', '3'],
  'pool.commandTimeout': ['10s', '1m', '5m'],
  'pool.bootProbeTimeout': ['5s', '1m'],
  'pool.cloudCallTimeout': ['30s', '5m'],
  'pool.maxCloudOpsPerSecond': ['0', '0.5', '2', '10'],
  'pool.maxConcurrentCreates': ['0', '1', '2', '4', '50'],
  'pool.maxInstances': ['0', '1', '2', '5', '12'],
  'pool.quotaHoldOff': ['10s', '1m', '5m'],
  'pool.capacityHoldOff': ['10s', '1m', '10m'],
  'pool.bootFailureLimit': ['0', '2', '5'],
  'pool.bootFailureHoldOff': ['1m', '10m'],
  'pool.removeOrphans': ['false', 'true'],
  'pool.orphanGrace': ['5m', '1h'],
  'pool.warm': ['[]', '[]', warmAtNight],
  'pool.coolDown': ['0', '2m'],
  'pool.maxInstanceAge': ['0', '1h', '6h'],
  'pool.maxContainersPerInstance': ['0', '1', '4'],
  'pool.quotaRetry': ['1m', '10m', '1h'],
  'scheduler.maximumPriceFactor': ['1', '1.5', '10'],
  'scheduler.onDemandFallback': ['false', 'true'],
  'scheduler.reserveExtraRam': ['0', '550MiB'],
  'scheduler.localKeepBlobBuffersPerVcpu': ['0', '1'],
  'scheduler.staleLockTimeout': ['5s', '1m'],
  'scheduler.maxDispatchAttempts': ['0', '5', '10'],
  'scheduler.pollInterval': ['1s', '10s', '1m'],
  'scheduler.initialQuotaEstimate': ['0', '1', '4'],
  'scheduler.supervisorFraction': ['0', '0.3', '0.5', '1'],
  'scheduler.maxRunningContainersPerInstance': ['0', '1', '2'],
  'scheduler.preemptiblePriceFactor': ['0', '0.4'],
  'runner.deployDirectory': ['/tmp/arvados-crunch-run', '/var/lib/longshore'],
  'runner.runtimeEngine': ['docker', 'singularity', 'podman'],
  'runner.arguments': ['[]', `['--verbose']`],
};

/** What is not drawn, by path or by the beginning of paths, and why. */
export const undrawnSettings: Readonly<Record<string, string>> = {
  clusterId: 'a name, first part of every container id',
  managementToken: 'of the API, which is not simulated',
  controllerDatabasePassword: 'a secret of a controller’s database',
  systemRootToken: 'a secret; the name of the instance set is given',
  stateDir: 'there is no disk',
  store: 'its rows are in memory: scripts/crash and scripts/failover try real ones',
  storePassword: 'as the store',
  storeListen: 'as the store',
  dispatchPrivateKey: 'there is no SSH',
  driver: 'the provider is simulated',
  driverParameters: 'the provider is simulated',
  instanceTypes: 'the fleets of src/simulation/scenario.ts',
  'pool.quarantineGrace': 'scripts/liars plays the instances that earn a quarantine',
  'pool.deployPublicKey': 'there is no SSH key to deploy',
  'pool.sshPort': 'there is no SSH',
  'runner.deploy': 'the simulated machines understand Longshore’s own program only',
  'runner.command': 'as runner.deploy',
  'runner.apiHost': 'of runners that talk to a controller',
  'runner.apiHostInsecure': 'of runners that talk to a controller',
  'runner.logLimit': 'simulated containers print nothing',
  'controller.': 'test/queue tries the queue of a controller',
  'journal.': 'the journal is hashed and not kept',
  'logs.': 'simulated containers print nothing',
  'api.': 'the API is not simulated',
  logLevel: 'nothing is logged',
};

/** Each with one of its values. `share`: how many of them are drawn; the others keep their defaults. */
export function drawSettings(share: number, random: SeededRandom): Map<string, string> {
  const drawn = new Map<string, string>();
  for (const [path, choices] of Object.entries(drawnSettings)) {
    const value = random.pick(choices);
    if (random.chance(share)) drawn.set(path, value);
  }
  return drawn;
}

/** As a configuration file writes them, without a head. */
export function settingsText(settings: ReadonlyMap<string, string>): string {
  const lines: string[] = [];
  let open: string[] = [];
  for (const [path, value] of [...settings].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const names = path.split('.');
    const name = names.pop()!;
    for (const [depth, parent] of names.entries()) {
      if (open[depth] === parent && open.slice(0, depth).every((each, at) => each === names[at])) continue;
      lines.push(`${'  '.repeat(depth)}${parent}:`);
      open = names.slice(0, depth + 1);
    }
    open = names;
    lines.push(`${'  '.repeat(names.length)}${name}: ${value}`);
  }
  return `${lines.join('\n')}\n`;
}
