// Starts the daemon on the loopback driver, submits containers, shows what happens, and sums it up.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWatchdog } from './watched.mjs';

const watchdog = startWatchdog();
const stay = process.argv.includes('--stay');
const containers = 48;
const folder = mkdtempSync(join(tmpdir(), 'longshore-quickstart-'));
watchdog.folder(folder);
const token = randomBytes(16).toString('hex');
const configPath = join(folder, 'longshore.yaml');
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

writeFileSync(
  configPath,
  `clusterId: quick
managementToken: env:LONGSHORE_TOKEN
stateDir: ./state
driver: loopback
driverParameters: { maxInstances: 4, bootDelayMs: 1500 }
instanceTypes:
  small: { vcpus: 2, ram: 1GiB, includedScratch: 4GiB, price: 0.02 }
  large: { vcpus: 4, ram: 4GiB, includedScratch: 8GiB, price: 0.05 }
pool: { bootProbeCommand: 'true', maxInstances: 4, maxConcurrentCreates: 2, timeoutIdle: 3s, syncInterval: 5s, probeInterval: 2s }
runner: { deployDirectory: ${join(folder, 'runner')} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0 }
api: { listen: '127.0.0.1:0' }
`,
);

const daemon = spawn(process.execPath, [program, '--config', configPath, 'serve'], {
  env: { ...process.env, LONGSHORE_TOKEN: token },
  stdio: ['ignore', 'ignore', 'pipe'],
});
let log = '';
daemon.stderr.on('data', (chunk) => (log += chunk));
const ended = new Promise((resolve) => daemon.on('exit', resolve));
let exitCode = 1;
try {
  const url = await address();
  console.log(
    `Daemon in service. Dashboard: ${url}/ (token: ${token}); the API is described at ${url}/docs.\n`,
  );
  const uuids = await submit(url);
  await follow(url, uuids);
  exitCode = await summarise(url, uuids);
  if (stay) await remain(url);
  else await retire(url);
  if (!stay) await report(url);
} catch (error) {
  console.error(`quickstart failed: ${error.message}\n${log.split('\n').slice(-15).join('\n')}`);
} finally {
  daemon.kill('SIGTERM');
  await ended;
  await watchdog.close();
}
process.exitCode = exitCode;

async function address() {
  const path = join(folder, 'state', 'api-address');
  await until(() => existsSync(path) || daemon.exitCode !== null, 'the daemon to start', 30_000);
  if (daemon.exitCode !== null) throw new Error('the daemon did not start');
  return readFileSync(path, 'utf8').trim();
}

async function submit(url) {
  const body = Array.from({ length: containers }, (_, index) => ({
    name: `job-${index + 1}`,
    command: ['sh', '-c', `echo "job ${index + 1} on $(hostname)"; sleep ${0.5 + (index % 4) / 2}`],
    vcpus: index % 12 === 0 ? 3 : 1,
    ram: '64MiB',
    priority: (index % 5) + 1,
  }));
  const { items } = await call(url, '/v1/containers', { containers: body });
  console.log(`Submitted ${items.length} containers.`);
  return items.map(({ uuid }) => uuid);
}

async function follow(url, uuids) {
  let shown = '';
  const startedAt = Date.now();
  await until(
    async () => {
      const { containers: counts } = await call(url, '/v1/status');
      const { items } = await call(url, '/v1/instances');
      const instances = items.map(({ instance, state, bootStage, containers: on }) => {
        return `${instance || 'new'}:${bootStage ?? state}${on.length > 0 ? `(${on.length})` : ''}`;
      });
      const line = `queued ${counts.Queued + counts.Locked}, running ${counts.Running}, done ${counts.Complete} | ${instances.join(' ')}`;
      if (line !== shown)
        console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
      shown = line;
      return counts.Complete + counts.Cancelled >= uuids.length;
    },
    'the containers to end',
    100_000,
  );
}

async function summarise(url, uuids) {
  const { items } = await call(url, `/v1/containers?limit=1000`);
  const good = items.filter(({ state, exitCode: code }) => state === 'Complete' && code === 0);
  const used = new Set(items.map(({ instance }) => instance));
  const cost = items.reduce((sum, item) => sum + (item.cost ?? 0), 0);
  const [sample] = good;
  const output = await (
    await fetch(`${url}/v1/containers/${sample.uuid}/logs`, { headers: headers() })
  ).text();
  console.log(
    `\n${good.length} of ${uuids.length} containers completed on ${used.size} instances; their time cost $${cost.toFixed(6)}.`,
  );
  console.log(`${sample.name} printed: ${output.trim()}`);
  return good.length === uuids.length && used.size >= 3 ? 0 : 1;
}

async function retire(url) {
  console.log('Waiting for the idle instances to be retired …');
  await until(
    async () => (await call(url, '/v1/instances')).items.length === 0,
    'the instances to go',
    60_000,
  );
}

async function report(url) {
  const { items } = await call(url, '/v1/journal?limit=10000');
  console.log('\nThe life of each instance:');
  let total = 0;
  for (const gone of items.filter(({ kind }) => kind === 'worker.gone')) {
    const story = items.filter(
      ({ instance, kind }) => instance === gone.instance && kind === 'worker.transition',
    );
    const steps = story
      .filter(({ to }) => to !== 'gone')
      .map(({ at, to }) => `${to.replace('booting.', '')} ${seconds(at - story[0].at)}`);
    const why = story.find(({ to }) => to.startsWith('shutdown'))?.because;
    total += gone.data.cost;
    console.log(
      `  ${gone.instance} (${gone.data.type}) lived ${seconds(gone.data.lifeMs)}, cost $${gone.data.cost.toFixed(6)}; retired because: ${why}`,
    );
    console.log(`    ${short(steps).join(' → ')}`);
  }
  console.log(`All instances are retired; together they cost $${total.toFixed(6)}.`);
}

async function remain(url) {
  console.log(`\nThe daemon goes on at ${url} until Ctrl-C. Talk to it with:`);
  console.log(`  LONGSHORE_URL=${url} LONGSHORE_TOKEN=${token} bin/longshore instances`);
  // A signal ends all, whatever is awaited here.
  await new Promise((resolve) => daemon.once('exit', resolve));
}

function short(steps) {
  return steps.length > 12 ? [...steps.slice(0, 8), '…', ...steps.slice(-3)] : steps;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

function headers() {
  return { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
}

async function call(url, path, body) {
  const response = await fetch(url + path, {
    headers: headers(),
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function until(condition, what, timeoutMs) {
  const deadlineAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadlineAt) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
