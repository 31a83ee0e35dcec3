import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAzureParameters } from '../../../src/drivers/azure/parameters.js';
import * as replies from './documented-replies.js';
import { AzureTestWorld, azureSpec } from '../../support/azure/azure-world.js';
import { credentials } from '../../support/azure/fake-azure.js';
import { requireTool } from '../../support/tools.js';
import { errorOf, never } from '../contract.js';

const options = { signal: never };
let world: AzureTestWorld;

beforeEach(async (context) => {
  requireTool(context, 'openssl');
  world = await AzureTestWorld.open();
});
afterEach(() => world?.end());

const wait = (retryAt: number | undefined): number => Math.round(((retryAt ?? 0) - Date.now()) / 1_000);

describe('errors of Azure', () => {
  it.each([
    ['a quota of the region', replies.regionalQuota, 'quota', undefined],
    ['a quota of cores, in other words', replies.coreQuota, 'quota', undefined],
    ['a quota, by its code', replies.quotaExceeded, 'quota', undefined],
    ['a quota of a family', replies.familyQuota, 'capacity', 'group'],
    ['no such size here', replies.skuNotAvailable, 'capacity', 'type'],
    ['a full subnet', replies.subnetIsFull, 'quota', undefined],
    ['a missing permission', replies.authorizationFailed, 'auth', undefined],
    ['an expired token', replies.expiredToken, 'auth', undefined],
    ['a missing resource group', replies.groupNotFound, 'invalid', undefined],
    ['a missing image', replies.resourceNotFound('Microsoft.Compute/images/x'), 'invalid', undefined],
    ['another operation in the way', replies.parentBusy, 'unavailable', undefined],
    ['a fault of the server', replies.serverError, 'unavailable', undefined],
    ['a policy', replies.policyForbids, 'invalid', undefined],
    ['a wrong size', replies.invalidParameter, 'invalid', undefined],
    ['throttling by the manager', replies.throttledByManager, 'rate-limited', undefined],
    ['throttling by a provider', replies.throttledByCompute('5'), 'rate-limited', undefined],
    [
      'a page instead of an answer',
      { status: 502, body: '<html>Bad Gateway</html>', source: '', text: 'memory' },
      'unavailable',
      undefined,
    ],
    [
      'a code nobody knows',
      { status: 400, body: { error: { code: 'Odd' } }, source: '', text: 'memory' },
      'invalid',
      undefined,
    ],
  ] as const)('takes %s for what it is (AZ-32, DW-7, DW-8)', async (_, reply, code, scope) => {
    const driver = await world.driver();
    world.azure.fault = ({ method, path }) =>
      method === 'PUT' && path.includes('virtualMachines') ? reply : undefined;
    const error = await errorOf(driver.create(azureSpec(), options));
    expect([error.code, error.scope]).toEqual([code, scope]);
    if (code !== 'unavailable' && code !== 'rate-limited') expect(error.remedy).toBeTruthy();
    if (code !== 'rate-limited') expect(error.retryAt).toBeUndefined();
  });

  it.each([
    ['123', 123],
    [new Date(Date.now() + 3_600_000).toUTCString(), 3_600],
    ['soon', 20],
    [undefined, 20],
  ])('waits as a 429 with Retry-After %s says (AZ-32, DT-29, DW-7)', async (header, seconds) => {
    const driver = await world.driver();
    world.azure.fault = () => replies.throttledByCompute(header);
    const error = await errorOf(driver.list({}, options));
    expect(error.code).toBe('rate-limited');
    expect(Math.abs(wait(error.retryAt) - seconds)).toBeLessThan(30 + seconds / 100);
    if (seconds < 30) expect(wait(error.retryAt)).toBeLessThanOrEqual(seconds);
  });

  it('keeps what the error says at its root, and the id that Azure asks for', async () => {
    const driver = await world.driver();
    world.azure.fault = () => replies.throttledByCompute('1');
    const error = await errorOf(driver.list({}, options));
    expect(error.message).toContain('HighCostGet30Min');
    expect((error.cause as Error).message).toContain('x-ms-request-id r-1');
  });

  it('says auth, with a remedy and without the secret, when signing in is refused', async () => {
    world.azure.isSignInRefused = true;
    const error = await errorOf((await world.driver()).list({}, options), [credentials.clientSecret]);
    expect(error).toMatchObject({
      code: 'auth',
      message: expect.stringContaining('AADSTS7000215') as string,
    });
    expect(error.remedy).toContain('clientSecret');
  });

  it('says unavailable when nobody answers, also to the sign-in', async () => {
    const nowhere = { resourceManagerEndpoint: 'https://127.0.0.1:9', authorityHost: 'https://127.0.0.1:9' };
    const error = await errorOf((await world.driver(nowhere)).list({}, options));
    expect(error.code).toBe('unavailable');
    const half = await world.driver({ resourceManagerEndpoint: 'https://127.0.0.1:9' });
    expect((await errorOf(half.list({}, options))).code).toBe('unavailable');
  });

  it('says unavailable when the connection is cut', async () => {
    const driver = await world.driver();
    world.azure.fault = () => 'cut';
    expect((await errorOf(driver.list({}, options))).code).toBe('unavailable');
  });
});

describe('parameters of the azure driver', () => {
  const given = { subscriptionId: 's', resourceGroup: 'g', network: 'n', subnet: 's' };

  it('needs four names, and has a value for all else (DC-40..DC-47, AZ-2)', () => {
    expect(parseAzureParameters({ ...given, networkResourceGroup: 'net' })).toMatchObject({
      location: 'centralus',
      adminUsername: 'crunch',
      deleteDanglingAfterMs: 20_000,
      networkResourceGroup: 'net',
      imageResourceGroup: 'g',
    });
  });

  it.each([
    [{}, /subscriptionId.*resourceGroup.*network.*subnet/],
    [{ ...given, cloudEnvironment: 'Mars' }, /cloudEnvironment/],
    [
      { ...given, sharedImageGalleryName: 'x' },
      /both sharedImageGalleryName and sharedImageGalleryImageVersion/,
    ],
    [{ ...given, storageAccount: 'x', blobContainer: 'y' }, /unmanaged disks/],
    [{ ...given, clientSecret: 'hidden-1234567' }, /tenantId.*clientId/],
    [
      { ...given, tenantId: 't', clientId: 'c', clientSecret: 'hidden-1234567', managedIdentity: true },
      /managedIdentity/,
    ],
    [{ ...given, resourceManagerEndpoint: 'http://insecure' }, /https/],
    [{ ...given, adminUsername: 'root' }, /user name/],
    [{ ...given, deleteDanglingResourcesAfter: 'soon' }, /no duration/],
    [{ ...given, colour: 'blue' }, /colour is not a parameter/],
  ])('refuses %j by name (AZ-1, AZ-15, DT-33)', async (parameters, message) => {
    const thrown = await errorOf((async () => parseAzureParameters(parameters))(), ['hidden-1234567']);
    expect(thrown).toMatchObject({ code: 'invalid', message: expect.stringMatching(message) as string });
  });

  it('refuses a caFile that is not there', async () => {
    const error = await errorOf(world.raw({ caFile: '/nowhere/ca.pem' }));
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining('caFile') as string });
  });
});
