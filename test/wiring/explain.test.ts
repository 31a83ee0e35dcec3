import { expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { noConstraints } from '../../src/domain/container.js';
import { faultlessCloud, faultlessVm, type VmKnobs } from '../../src/drivers/simulated/vm-behavior.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import type { Explanation } from '../../src/journal/explain/explanation.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';

const patient = { timeout: 60_000, interval: 50 };
const yaml = `
managementToken: ${managementToken}
instanceTypes: { small: { vcpus: 1, ram: 1GiB, price: 0.123 } }
pool:
  bootProbeCommand: ''
  maxInstances: 2
  probeInterval: 200ms
  syncInterval: 300ms
  timeoutIdle: 1s
  timeoutShutdown: 1s
  timeoutTerm: 2s
  timeoutSignal: 100ms
  maxCloudOpsPerSecond: 0`;

interface Site {
  app: InProcess;
  /** Of the machines made so far, in their order. */
  machines: VmKnobs[];
  submit(name: string): Promise<string>;
  stateOf(uuid: string): Promise<string>;
  explain(id: string): Promise<Explanation & { text: string }>;
}

/** Containers run until they are cancelled; the third ends by itself. */
async function startSite(): Promise<Site> {
  const machines: VmKnobs[] = [];
  let begun = 0;
  const host = new SshHost({
    clock: systemClock,
    random: Math.random,
    hasKnownHostKeys: true,
    knobsOf: () => {
      const knobs = { ...faultlessVm };
      machines.push(knobs);
      return knobs;
    },
    execute: () => {
      const durationMs = ++begun === 3 ? 100 : 3_600_000;
      return { durationMs, exitCode: 3, stdout: '', stderr: '' };
    },
  });
  const knobs = { ...faultlessCloud };
  const onFault = (): void => {};
  const cloud = new SimulatedCloud({ host, clock: systemClock, random: Math.random, knobs, onFault });
  const app = await startInProcess(yaml, { driver: new SimulatedDriver(cloud, () => cloud.close()) });
  return {
    app,
    machines,
    submit: async (name) => {
      const [record] = await app.daemon.store.submit([
        {
          name,
          command: ['true'],
          env: {},
          image: '',
          cwd: '',
          constraints: { ...noConstraints, vcpus: 1, ramBytes: 2 ** 20 },
          scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
          tmpMountBytes: 0,
          priority: 1n,
          maxAttempts: 1,
          idempotencyKey: '',
        },
      ]);
      return record!.uuid;
    },
    stateOf: async (uuid) => (await app.daemon.store.find(uuid))?.state ?? '',
    explain: async (id) => {
      const explanation = (await app.ask(`/v1/explain/${encodeURIComponent(id)}`)).json as Explanation;
      const history = explanation.history.map(({ text }) => text);
      return { ...explanation, text: [...explanation.lines, ...history].join('\n') };
    },
  };
}

it(
  'explains a container that waits, one that was killed, an instance that idled and one that broke',
  { timeout: 120_000 },
  async () => {
    const { app, machines, submit, stateOf, explain } = await startSite();
    const texts: string[] = [];
    const expectText = async (id: string, parts: readonly string[]): Promise<void> => {
      await expect.poll(async () => (await explain(id)).text, patient).toContain(parts[0]);
      const { text } = await explain(id);
      texts.push(text);
      for (const part of parts) expect(text).toContain(part);
      expect(text).not.toMatch(/undefined|\[object|NaN|\.\.\n|because (\.|$)/);
    };
    try {
      const stays = await submit('stays');
      await expect.poll(() => stateOf(stays), patient).toBe('Running');
      const killed = await submit('killed');
      await expect.poll(() => stateOf(killed), patient).toBe('Running');
      const waits = await submit('waits');
      await expectText(waits, [
        'Position 1 in the queue: no more instances can be created: pool.maxInstances (',
        `Container ${waits} (waits) is`,
        'What ends the wait: An instance terminates, or you raise the provider quota or pool.maxInstances.',
      ]);

      const instanceOf = async (uuid: string): Promise<string> =>
        (await app.daemon.store.find(uuid))?.instanceId ?? '';
      const [first, second] = [await instanceOf(stays), await instanceOf(killed)];
      const headers = { authorization: `Bearer ${managementToken}`, 'x-longshore-actor': 'ann@desk' };
      await app.ask(`/v1/containers/${killed}/cancel`, { body: { reason: 'too slow' }, headers });
      await expect.poll(() => stateOf(waits), patient).toBe('Complete');
      await expectText(killed, [
        `It ended, and its result was collected (on ${second}).`,
        'It was cancelled: ann@desk by the command line: too slow.',
        'Operator command: cancel it (ann@desk by the command line: too slow).',
        'Stop order sent: it is Cancelled.',
        `The scheduler placed it on ${second}: it fits on small.`,
      ]);
      await expectText(waits, [
        'It is Complete: it exited with status 3.',
        `It ran on ${second} (small)`,
        'It ended, and its result was collected',
      ]);

      await expectText(second, [
        `Instance ${second} (small) left the provider’s list at`,
        'Its end was decided at',
        ', because it was idle for longer than the idle timeout.',
        'It went from idle to shutdown, because it was idle for longer than the idle timeout.',
        `It went from idle to running, because container ${waits} was given to it.`,
        'It appeared as small at $0.123 an hour: this daemon created it.',
        'The provider accepted the call to destroy it (took ',
      ]);

      machines[0]!.reportBrokenAfterMs = 0;
      await expectText(first, [
        'It is draining (the instance reported itself broken): no container starts on it, and it is destroyed when it is empty.',
        `Instance ${first} has been running since`,
        `Its containers: ${stays} (running).`,
      ]);
      await app.ask(`/v1/instances/${encodeURIComponent(first)}/kill`, { body: { reason: 'for good' } });
      await expectText(first, [
        `Instance ${first} (small) left the provider’s list at`,
        'an order came: an operator over the API: for good',
        'Operator command: destroy it at once (an operator over the API: for good).',
      ]);
      if (process.env['LONGSHORE_TEST_OUTPUT'] !== undefined) console.log(texts.join('\n\n'));
    } finally {
      await app.stop();
    }
  },
);
