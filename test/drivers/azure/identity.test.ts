import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DriverError } from '../../../src/drivers/driver.js';
import { AzureTestWorld } from '../../support/azure/azure-world.js';
import { credentials, token } from '../../support/azure/fake-azure.js';
import { requireTool } from '../../support/tools.js';
import { errorOf, never } from '../contract.js';

let world: AzureTestWorld;
beforeEach(async (context) => {
  requireTool(context, 'openssl');
  world = await AzureTestWorld.open();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world?.end();
});

describe('signing in to Azure', () => {
  it('signs in as the machine it runs on, by its metadata service (AZ-1)', async () => {
    const asked: { url: string; metadata: unknown }[] = [];
    const metadata = createServer((request, response) => {
      asked.push({ url: request.url ?? '', metadata: request.headers['metadata'] });
      response.setHeader('content-type', 'application/json');
      const expiresAt = Math.floor(Date.now() / 1_000) + 3_600;
      response.end(
        JSON.stringify({
          access_token: token,
          expires_on: String(expiresAt),
          expires_in: '3600',
          token_type: 'Bearer',
        }),
      );
    });
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
    const { port } = metadata.address() as AddressInfo;
    vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', `http://127.0.0.1:${port}`);
    try {
      const { tenantId: _t, clientId: _c, clientSecret: _s, ...rest } = world.parameters();
      const driver = await world.rawWith({ ...rest, managedIdentity: true });
      expect(await driver.list({}, { signal: never })).toEqual([]);
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.at(-1)).toMatchObject({
        metadata: 'true',
        url: expect.stringContaining('resource=') as string,
      });
    } finally {
      metadata.closeAllConnections();
      metadata.close();
    }
  });

  it(
    'signs in anew when what it was given has expired, and goes on once it can',
    { timeout: 60_000 },
    async () => {
      // A token, or a refusal, that is on its way may still come.
      const soon = { timeout: 20_000 };
      world.azure.tokenSeconds = 1;
      const driver = await world.driver();
      const list = () => driver.list({}, { signal: never }).catch((error: DriverError) => error);
      expect(await list()).toEqual([]);
      world.azure.validToken = 'the next token';
      await expect.poll(list, soon).toEqual([]);
      world.azure.isSignInRefused = true;
      const remedy = expect.stringContaining('clientSecret') as string;
      await expect.poll(list, soon).toMatchObject({ code: 'auth', remedy });
      await errorOf(driver.list({}, { signal: never }), [credentials.clientSecret, world.azure.validToken]);
      world.azure.isSignInRefused = false;
      await expect.poll(list, soon).toEqual([]);
    },
  );

  it('signs in once for many calls', async () => {
    const driver = await world.raw();
    for (let n = 0; n < 5; n++) await driver.list({}, { signal: never });
    // Once for each of the two libraries at most.
    expect(world.azure.signIns).toBeLessThanOrEqual(2);
  });
});
