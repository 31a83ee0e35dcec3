import { afterEach, describe, expect, it } from 'vitest';
import { parseStubCommand } from '../../src/drivers/simulated/stub-command.js';
import { LyingFleet } from '../support/lying-fleet.js';
import { lies, type Behaviour } from '../support/lying-server.js';

const patient = { timeout: 60_000, interval: 20 };
const fleets: LyingFleet[] = [];

afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.stop();
});

/** Hangs for what was made up, and is honest about what is really there. */
const hangsForMadeUp: Behaviour = (request, honest) => {
  const command = parseStubCommand(request.command);
  const isMadeUp = 'uuid' in command && command.uuid.startsWith('wired-dz642-0000000000');
  return isMadeUp ? lies.hangs(request, honest) : honest();
};

/** An honest instance and one that lies, each proven by a container. */
async function fleetWithLiar(pool: string): Promise<LyingFleet> {
  const fleet = await LyingFleet.start({ pool });
  fleets.push(fleet);
  const first = [await fleet.submit(2), await fleet.submit(60)];
  for (const uuid of first) await expect.poll(() => fleet.isComplete(uuid), patient).toBe(true);
  return fleet;
}

/** From the end of a container on an honest instance until its result is in the store; ms. */
async function delayOfResult(fleet: LyingFleet): Promise<number> {
  const uuid = await fleet.submit(2);
  await expect.poll(() => fleet.isComplete(uuid), { timeout: 60_000, interval: 20 }).toBe(true);
  return Date.now() - fleet.endedAt(uuid)!;
}

describe('an instance with 100 made-up ends whose collecting hangs', { timeout: 240_000 }, () => {
  it('does not delay the result of a container on another instance by more than 2 s', async () => {
    const fleet = await fleetWithLiar('commandTimeout: 20s');
    const [, liar] = fleet.liars[0]!;
    liar.lie('collect', hangsForMadeUp);
    liar.lie('list', lies.adds(lies.madeUpIds(100, 'ended', 'wired')));
    await expect
      .poll(() => liar.asked.filter((kind) => kind === 'collect').length, patient)
      .toBeGreaterThan(2);
    const delays = [];
    for (let round = 0; round < 3; round++) delays.push(await delayOfResult(fleet));
    expect(Math.max(...delays)).toBeLessThan(2_000);
  });

  it('quarantines and drains the instance once its strikes add up, and gives up what was made up', async () => {
    const fleet = await fleetWithLiar('commandTimeout: 2s');
    const [id, liar] = fleet.liars[0]!;
    liar.lie('collect', hangsForMadeUp);
    liar.lie('list', lies.adds(lies.madeUpIds(100, 'ended', 'wired')));
    const journal = async (): Promise<unknown> =>
      (await fleet.app.ask('/v1/journal?kind=instance.quarantined')).json;
    const because = expect.stringMatching(/^10 strikes within 10 minutes; .*cannot be collected/) as string;
    await expect.poll(journal, patient).toMatchObject({ items: [{ instance: id, because }] });
    await expect.poll(() => fleet.liars.map(([each]) => each), patient).not.toContain(id);
    expect(await delayOfResult(fleet)).toBeLessThan(2_000);
  });
});
