import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { managementToken, startInProcess } from '../support/in-process.js';
import { requireTool } from '../support/tools.js';

it('serves TLS, ends handshakes that never come, and keeps connections that have shown a token', async (context) => {
  const openssl = requireTool(context, 'openssl');
  const folder = mkdtempSync(join(tmpdir(), 'longshore-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const wanted = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', cert];
  execFileSync(openssl, ['req', '-x509', '-nodes', ...pair, ...wanted], { stdio: 'ignore' });
  const app = await startInProcess(`managementToken: ${managementToken}
pool: { maxInstances: 1 }
api: { listen: '127.0.0.1:0', tlsCertFile: ${cert}, tlsKeyFile: ${key} }`);
  try {
    const get = (path: string, token: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}` };
        const sent = request(app.daemon.url + path, { ca: readFileSync(cert), headers }, (response) => {
          response.destroy();
          resolve(response.statusCode);
        });
        sent.once('error', reject).end();
      });
    const { hostname, port } = new URL(app.daemon.url);
    const silent = connect(Number(port), hostname);
    const ended = new Promise((resolve) => silent.once('close', resolve));
    silent.on('error', () => {}).resume();
    const opened = request(`${app.daemon.url}/v1/events`, {
      ca: readFileSync(cert),
      headers: { authorization: `Bearer ${managementToken}` },
    });
    const stream = await new Promise<boolean>((resolve, reject) => {
      opened.once('response', (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      opened.once('error', reject).end();
    });
    expect([stream, await get('/v1/status', managementToken), await get('/v1/status', 'x')]).toEqual([
      true,
      200,
      403,
    ]);
    await ended;
    expect(opened.destroyed).toBe(false);
    opened.destroy();
  } finally {
    await app.stop();
    rmSync(folder, { recursive: true });
  }
}, 120_000);
