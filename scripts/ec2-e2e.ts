// The daemon, the EC2 driver, an emulator of EC2 behind a proxy that throttles, and a real sshd for each instance.
import { DescribeInstancesCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ec2Hosts, hostRoot } from '../test/support/ec2-hosts.js';
import { ec2Error, startEc2Proxy, type Ec2Answer, type Ec2Request } from '../test/support/ec2-proxy.js';
import { findMoto, missingMoto, startMoto } from '../test/support/moto.js';
import { findTool } from '../test/support/tools.js';
import { startWatchdog } from './watched.mjs';

const watchdog = startWatchdog();
const containers = 50;
const preemptible = 10;
const token = randomBytes(16).toString('hex');
const releases: (() => unknown)[] = [];
const counts = { requests: 0, throttled: 0, withoutCapacity: 0 };

interface Container {
  uuid: string;
  state: string;
  exitCode: number | null;
  instance: string | null;
}
interface Entry {
  kind: string;
  instance?: string;
  because?: string;
}

async function run(): Promise<string> {
  const program = findMoto();
  if (program === undefined) throw new Error(missingMoto);
  const sshd = findTool('sshd');
  if (sshd === undefined) throw new Error('sshd is not installed: apt-get install openssh-server');
  console.log('Starting the emulator of EC2 …');
  const moto = await startMoto(program);
  watchdog.process(moto);
  releases.push(() => moto.stop());
  const ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint: moto.url,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  releases.push(() => ec2.destroy());
  const { Subnets: subnets = [] } = await ec2.send(new DescribeSubnetsCommand());
  const [full, good] = subnets.map(({ SubnetId }) => SubnetId!);
  const hosts = await Ec2Hosts.open(sshd);
  watchdog.folder(hosts.folder);
  releases.push(() => hosts.close());
  const proxy = await startEc2Proxy(moto.url);
  releases.push(() => proxy.close());
  proxy.intercept = (request) => faultFor(request, full!);
  proxy.onReply = (request, reply) => hosts.onReply(request, reply);
  const daemon = await startDaemon(hosts, proxy.url, [full!, good!]);
  const uuids = await submit(daemon.url);
  await follow(daemon.url, hosts);
  await until(async () => (await instancesOf(daemon.url)) === 0, 'the instances to be retired', 120_000);
  const left = await living(ec2);
  return judge(daemon.url, uuids, hosts, left);
}

/** One request in five is throttled, and one subnet never has room. */
function faultFor({ action, parameters }: Ec2Request, full: string): Ec2Answer | undefined {
  if (counts.requests++ % 5 === 4) {
    counts.throttled++;
    return ec2Error(503, 'RequestLimitExceeded', 'Request limit exceeded.');
  }
  if (action !== 'RunInstances' || parameters.get('NetworkInterface.1.SubnetId') !== full) return undefined;
  counts.withoutCapacity++;
  return ec2Error(
    500,
    'InsufficientInstanceCapacity',
    'We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (us-east-1a).',
  );
}

async function startDaemon(hosts: Ec2Hosts, endpoint: string, subnets: string[]) {
  const config = join(hosts.folder, 'longshore.yaml');
  writeFileSync(
    config,
    `clusterId: ectwo
managementToken: env:LONGSHORE_TOKEN
stateDir: ./daemon
driver: ec2
driverParameters:
  region: us-east-1
  accessKeyId: env:E2E_ACCESS_KEY
  secretAccessKey: env:E2E_SECRET_KEY
  endpoint: ${endpoint}
  subnetId: [${subnets.join(', ')}]
  adminUsername: ${userInfo().username}
  instancesPerRequest: 3
instanceTypes:
  small: { providerType: t3.micro, vcpus: 2, ram: 1GiB, includedScratch: 4GiB, price: 0.02 }
  spot: { providerType: t3.small, vcpus: 2, ram: 1GiB, includedScratch: 4GiB, price: 0.01, preemptible: true }
pool:
  imageId: ami-12c6146b
  bootProbeCommand: 'true'
  sshPort: ${hosts.port}
  maxInstances: 6
  maxConcurrentCreates: 3
  syncInterval: 3s
  probeInterval: 2s
  timeoutIdle: 3s
  capacityHoldOff: 2s
runner: { deployDirectory: ${hostRoot}/runner }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0 }
api: { listen: '127.0.0.1:0' }
logLevel: debug
`,
  );
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', main, '--config', config, 'serve'], {
    env: {
      ...process.env,
      LONGSHORE_TOKEN: token,
      E2E_ACCESS_KEY: 'test-access',
      E2E_SECRET_KEY: 'test-secret',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  releases.push(async () => {
    child.kill('SIGTERM');
    await ended;
    if (process.exitCode !== 0) console.log(log.split('\n').slice(-25).join('\n'));
  });
  const address = join(hosts.folder, 'daemon', 'api-address');
  await until(() => existsSync(address) || child.exitCode !== null, 'the daemon to start', 60_000);
  if (child.exitCode !== null) throw new Error(`the daemon did not start:\n${log}`);
  const url = readFileSync(address, 'utf8').trim();
  console.log(`Daemon in service at ${url}, driver ec2 at ${endpoint}.`);
  return { url };
}

async function submit(url: string): Promise<string[]> {
  const orders = Array.from({ length: containers }, (_, index) => ({
    name: `job-${index + 1}`,
    command: ['sh', '-c', `echo ran-${index + 1}; sleep ${index === 0 ? 6 : 0.3}`],
    ram: '64MiB',
    preemptible: index < preemptible,
  }));
  const { items } = await call<{ items: Container[] }>(url, '/v1/containers', { containers: orders });
  console.log(`Submitted ${items.length} containers, ${preemptible} of them for spot instances.`);
  return items.map(({ uuid }) => uuid);
}

/** Until all have ended; on the way, one spot instance is told that it will be taken away. */
async function follow(url: string, hosts: Ec2Hosts): Promise<void> {
  let shown = -1;
  await until(
    async () => {
      const [asking] = [...hosts.asked].filter((id) => hosts.spot.has(id));
      if (hosts.interrupted.size === 0 && asking !== undefined) {
        hosts.interrupted.add(asking);
        console.log(`  ${asking} is told that it will be taken away`);
      }
      const { items } = await call<{ items: Container[] }>(url, '/v1/containers?limit=1000');
      const done = items.filter(({ state }) => ['Complete', 'Cancelled'].includes(state)).length;
      const tenth = Math.floor((done * 10) / items.length);
      if (tenth > shown) {
        const requests = `${counts.throttled} of ${counts.requests} requests throttled`;
        console.log(`  ${done} of ${items.length} ended, ${hosts.running.length} instances, ${requests}`);
      }
      shown = Math.max(shown, tenth);
      return done === items.length;
    },
    'the containers to end',
    300_000,
  );
}

async function judge(url: string, uuids: string[], hosts: Ec2Hosts, left: number): Promise<string> {
  const { items } = await call<{ items: Container[] }>(url, '/v1/containers?limit=1000');
  const good = items.filter(({ state, exitCode }) => state === 'Complete' && exitCode === 0);
  const { items: journal } = await call<{ items: Entry[] }>(url, '/v1/journal?limit=10000');
  const [interrupted] = hosts.interrupted;
  const drained = journal.find(
    ({ instance, because }) => instance === interrupted && because?.includes('"action":"terminate"'),
  );
  const printed = await Promise.all(uuids.map((uuid) => text(`${url}/v1/containers/${uuid}/logs`)));
  const once = printed.filter((output, index) => output.trim() === `ran-${index + 1}`).length;
  const facts: [boolean, string][] = [
    [good.length === containers, `${good.length} of ${containers} containers completed`],
    [once === containers, `${once} printed their line exactly once`],
    [counts.throttled > 0, `${counts.throttled} of ${counts.requests} requests were throttled`],
    [counts.withoutCapacity > 0, `${counts.withoutCapacity} found no capacity in their subnet`],
    [drained !== undefined, `${interrupted ?? 'no instance'} was retired for its interruption notice`],
    [
      left === 0 && hosts.running.length === 0,
      `${left} instances and ${hosts.running.length} hosts are left`,
    ],
  ];
  for (const [isTrue, fact] of facts) console.log(`  ${isTrue ? 'ok    ' : 'FAILED'} ${fact}`);
  const wrong = facts.filter(([isTrue]) => !isTrue).map(([, fact]) => fact);
  if (wrong.length > 0) throw new Error(wrong.join('; '));
  const used = new Set(items.map(({ instance }) => instance)).size;
  return `${containers} containers completed on ${used} instances; none is left`;
}

async function living(ec2: EC2Client): Promise<number> {
  const Filters = [{ Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped'] }];
  const { Reservations: found = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
  return found.flatMap(({ Instances }) => Instances ?? []).length;
}

async function instancesOf(url: string): Promise<number> {
  return (await call<{ items: unknown[] }>(url, '/v1/instances')).items.length;
}

const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };

async function call<T>(url: string, path: string, body?: unknown): Promise<T> {
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(url + path, { headers, ...post });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

async function text(url: string): Promise<string> {
  return (await fetch(url, { headers })).text();
}

async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs: number,
): Promise<void> {
  const deadlineAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadlineAt) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

let verdict: string;
process.exitCode = 1;
try {
  verdict = `passed: ${await run()}`;
  process.exitCode = 0;
} catch (error) {
  verdict = `failed: ${error instanceof Error ? error.message : String(error)}`;
}
for (const release of releases.reverse()) await release();
await watchdog.close();
console.log(`ec2-e2e: ${verdict}`);
