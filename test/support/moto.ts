import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findTool } from './tools.js';

/** moto's server: an emulator of EC2 in a process of its own. */
export interface Moto {
  url: string;
  pid: number | undefined;
  /** Forgets every instance. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Where `scripts/test` installs it under CI. */
const installed = fileURLToPath(new URL('../../.cache/moto/bin/moto_server', import.meta.url));
export const missingMoto =
  'moto_server is not installed: pip install "moto[server]", or CI=true scripts/test';

/** The program, or `undefined`. */
export function findMoto(): string | undefined {
  return existsSync(installed) ? installed : findTool('moto_server');
}

/** How long starting it may take on a machine that has other things to do. */
export const motoPatienceMs = 300_000;

/** Starts it on a free port of loopback; rejects when it ends, or does not answer in the end. */
export async function startMoto(program: string): Promise<Moto> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      AWS_DEFAULT_REGION: 'us-east-1',
      MOTO_ENABLE_AMI_VALIDATION: 'true',
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2_000)));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const deadlineAt = Date.now() + motoPatienceMs;
  while (!(await answers(`${url}/moto-api/`))) {
    if (child.exitCode !== null || Date.now() > deadlineAt) {
      await stop();
      throw new Error(`moto_server does not answer: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const reset = async (): Promise<void> => {
    const reply = await fetch(`${url}/moto-api/reset`, { method: 'POST' });
    if (!reply.ok) throw new Error(`moto_server could not be reset: ${reply.status}`);
  };
  return { url, pid: child.pid, reset, stop };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** A port nobody listens on: the server cannot be told to choose one. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
