import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose, type ComposeOptions, type Daemon } from '../../src/daemon/daemon.js';
import { parseConfig } from '../../src/config/load.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { systemClock } from '../../src/domain/clock.js';
import { endProcessesOf } from '../../src/drivers/loopback/processes.js';
import { createLog } from '../../src/observability/log.js';

export interface InProcess {
  daemon: Daemon;
  folder: string;
  /** The status and the parsed or plain body. */
  ask(
    path: string,
    options?: { method?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Reply>;
  stop(): Promise<void>;
}

export interface Reply {
  status: number;
  text: string;
  headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into replies of many shapes
  json: any;
}

export const managementToken = 'in-process-token';

/** The whole daemon in this process, on a temporary folder. */
export async function startInProcess(
  yaml: string,
  options: Partial<ComposeOptions> = {},
): Promise<InProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-in-process-'));
  // What the test says itself comes in place of these.
  const without = (key: string, value: string): string =>
    yaml.includes(`\n${key}:`) ? '' : `${key}: ${value}`;
  const text = `${without('clusterId', 'wired')}
stateDir: ./state
${without('api', "{ listen: '127.0.0.1:0' }")}
${without('scheduler', '{ reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, staleLockTimeout: 2s }')}
${without('runner', `{ deployDirectory: ${join(folder, 'runner')} }`)}
${yaml}`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'c.yaml'), env: {} }));
  const daemon = await compose({ config, clock: systemClock, log: createLog('silent'), ...options });
  return {
    daemon,
    folder,
    ask: async (path, { method, body, headers = { authorization: `Bearer ${managementToken}` } } = {}) => {
      const isText = typeof body === 'string';
      const response = await fetch(daemon.url + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: body === undefined || isText ? headers : { ...headers, 'content-type': 'application/json' },
        body: body === undefined ? undefined : isText ? body : JSON.stringify(body),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('application/json') ?? false;
      return {
        status: response.status,
        text,
        headers: response.headers,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    stop: async () => {
      await daemon.stop();
      await endProcessesOf(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
