import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endProcessesOf } from '../../src/drivers/loopback/processes.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import type { Ec2Request } from './ec2-proxy.js';
import { freePort } from './moto.js';

interface Host {
  folder: string;
  sshd: ChildProcess;
  ended: Promise<void>;
}

/** In commands and init commands this stands for the folder of the host that runs them. */
export const hostRoot = '/host-of-this-instance';
const secretFile = '/var/run/arvados-instance-secret';
const xml = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`);

/**
 * The machines behind an emulator of EC2, which has none: for each instance a real sshd on an address of 127.0.0.0/8,
 * made from the request's own user data and key, with the metadata service that tells of interruptions and places.
 */
export class Ec2Hosts {
  /** All of them listen on this one, each on its own address. */
  readonly port: number;
  /** Instances that are to be told that they will be taken away. */
  readonly interrupted = new Set<string>();
  /** Asked for a notice so far. */
  readonly asked = new Set<string>();
  readonly spot = new Set<string>();
  readonly folder: string;
  readonly #sshd: string;
  readonly #metadata: Server;
  readonly #hosts = new Map<string, Host>();
  /** The place of each in its request. */
  readonly #places = new Map<string, string>();
  #authorizedKey = '';

  private constructor(sshd: string, folder: string, port: number) {
    this.#sshd = sshd;
    this.folder = folder;
    this.port = port;
    this.#metadata = createServer((request, response) => {
      const [, id = '', ...rest] = (request.url ?? '').split('/');
      const path = rest.join('/');
      if (path === 'latest/api/token' && request.method === 'PUT') return void response.end(`token-of-${id}`);
      if (request.headers['x-aws-ec2-metadata-token'] !== `token-of-${id}`) {
        return void response.writeHead(401).end();
      }
      if (path === 'latest/meta-data/ami-launch-index') return void response.end(this.#places.get(id));
      if (path === 'latest/meta-data/spot/instance-action') this.asked.add(id);
      if (!this.interrupted.has(id)) return void response.writeHead(404).end();
      const time = new Date(Date.now() + 120_000).toISOString().replace(/\.\d+Z/, 'Z');
      response.end(JSON.stringify({ action: 'terminate', time }));
    });
  }

  static async open(sshd: string): Promise<Ec2Hosts> {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-ec2-hosts-'));
    const hosts = new Ec2Hosts(sshd, folder, await freePort());
    await new Promise<void>((resolve) => hosts.#metadata.listen(0, '127.0.0.1', resolve));
    return hosts;
  }

  get running(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  /** Follows what the emulator did, and gives its reply on with addresses that lead to the hosts. */
  async onReply(request: Ec2Request, reply: string): Promise<string> {
    const { action, parameters } = request;
    if (action === 'ImportKeyPair') {
      this.#authorizedKey = Buffer.from(parameters.get('PublicKeyMaterial') ?? '', 'base64').toString();
    }
    if (action === 'TerminateInstances') await this.#end(parameters.get('InstanceId.1') ?? '');
    const given = reply.replaceAll(/<privateIpAddress>\d+\.(\d+\.\d+\.\d+)</g, '<privateIpAddress>127.$1<');
    if (action === 'RunInstances') {
      for (const each of given.split('<instanceId>').slice(1))
        await this.#start(request, /^[^<]*/.exec(each)![0], each);
    }
    return given;
  }

  async close(): Promise<void> {
    for (const id of this.running) await this.#end(id);
    this.#metadata.closeAllConnections();
    await new Promise((resolve) => this.#metadata.close(resolve));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #start({ parameters }: Ec2Request, id: string, reply: string): Promise<void> {
    const address = xml('privateIpAddress').exec(reply)?.[1] ?? '';
    this.#places.set(id, xml('amiLaunchIndex').exec(reply)?.[1] ?? '');
    if (parameters.get('InstanceMarketOptions.MarketType') === 'spot') this.spot.add(id);
    const folder = join(this.folder, id);
    await mkdir(join(folder, 'lock'), { recursive: true });
    await chmod(folder, 0o700);
    await this.#configure(folder, id, address);
    await this.#boot(folder, id, Buffer.from(parameters.get('UserData') ?? '', 'base64').toString());
    const sshd = spawn(this.#sshd, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = new Promise<void>((resolve) => sshd.once('exit', () => resolve()));
    this.#hosts.set(id, { folder, sshd, ended });
    sshd.stderr.resume();
  }

  async #configure(folder: string, id: string, address: string): Promise<void> {
    const file = (name: string): string => join(folder, name);
    await writeFile(file('host_key'), generateKeyPair().privateKey, { mode: 0o600 });
    await writeFile(file('authorized_keys'), this.#authorizedKey, { mode: 0o600 });
    const shell = [
      '#!/bin/sh',
      `export LONGSHORE_LOCK_DIR=${file('lock')} LONGSHORE_STATE_DIR=${file('state')}`,
      `export LONGSHORE_METADATA_URL=${this.#metadataOf(id)} LONGSHORE_SPOT_INTERVAL_S=1`,
      // -c, the script of the frame, its name, both halves of the marker, the command in pieces
      'eval "set -- ${SSH_ORIGINAL_COMMAND#exec /bin/sh}"',
      'script=$2 first=$4 second=$5; shift 5',
      `command=$(printf %s "$@" | base64 -d | sed 's#^sudo ##; s#${secretFile}#${file('secret')}#g; s#${hostRoot}#${folder}#g')`,
      'exec sh -c "$script" sh "$first" "$second" $(printf %s "$command" | base64)',
    ];
    await writeFile(file('shell'), `${shell.join('\n')}\n`, { mode: 0o700 });
    const settings = [
      `Port ${this.port}`,
      `ListenAddress ${address}`,
      `HostKey ${file('host_key')}`,
      `AuthorizedKeysFile ${file('authorized_keys')}`,
      `PidFile ${file('pid')}`,
      `ForceCommand ${file('shell')}`,
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
    ];
    await writeFile(file('sshd_config'), `${settings.join('\n')}\n`);
  }

  /** The first boot: the user data runs once. */
  async #boot(folder: string, id: string, userData: string): Promise<void> {
    const script = userData.replaceAll(secretFile, join(folder, 'secret')).replaceAll(hostRoot, folder);
    const env = { ...process.env, LONGSHORE_METADATA_URL: this.#metadataOf(id) };
    await promisify(execFile)('sh', ['-c', script], { env });
  }

  #metadataOf(id: string): string {
    return `http://127.0.0.1:${(this.#metadata.address() as AddressInfo).port}/${id}`;
  }

  async #end(id: string): Promise<void> {
    const host = this.#hosts.get(id);
    if (!host) return;
    this.#hosts.delete(id);
    host.sshd.kill('SIGTERM');
    await host.ended;
    await endProcessesOf(host.folder);
    await rm(host.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
