import { readFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonProcess } from '../support/daemon.js';

interface Item {
  uuid: string;
  state: string;
  exitCode: number | null;
  instance: string;
  idleBehavior: string;
  containers: string[];
}
interface Items {
  items: Item[];
}

const patient = { timeout: 90_000, interval: 100 };

describe('the daemon as a process', { timeout: 150_000 }, () => {
  let daemon: DaemonProcess;

  afterEach(() => daemon.remove());

  const submit = async (commands: string[]): Promise<string[]> => {
    const containers = commands.map((command) => ({ command: ['sh', '-c', command], vcpus: 1, ram: '1MiB' }));
    return (await daemon.call<Items>('/v1/containers', { containers })).items.map(({ uuid }) => uuid);
  };
  const instances = async (): Promise<Item[]> => (await daemon.call<Items>('/v1/instances')).items;
  const containers = async (): Promise<Item[]> =>
    (await daemon.call<Items>('/v1/containers?limit=1000')).items;

  describe('with little patience for idle instances', () => {
    beforeEach(async () => {
      daemon = await DaemonProcess.create('timeoutIdle: 1s');
      await daemon.start();
    });

    it('finishes every container exactly once though it is killed with -9, twice, and leaves no instance', async () => {
      const ran = daemon.path('ran');
      await submit(Array.from({ length: 40 }, (_, index) => `echo ${index} >>${ran}; sleep 0.5`));
      for (let crash = 0; crash < 2; crash++) {
        const isBusy = async (): Promise<boolean> => {
          const all = await containers();
          const count = (state: string): number => all.filter((each) => each.state === state).length;
          return count('Running') > 1 && count('Complete') >= 4 * (crash + 1);
        };
        await expect.poll(isBusy, patient).toBe(true);
        await daemon.end('SIGKILL');
        expect(await daemon.start()).toBeUndefined();
      }
      await expect
        .poll(async () => (await containers()).every(({ state }) => state === 'Complete'), patient)
        .toBe(true);
      expect((await containers()).map(({ exitCode }) => exitCode)).toEqual(Array(40).fill(0));
      const lines = (await readFile(ran, 'utf8')).trim().split('\n').map(Number);
      expect(lines.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));
      await expect.poll(instances, patient).toEqual([]);
    });
  });

  describe('with patience', () => {
    beforeEach(async () => {
      daemon = await DaemonProcess.create('timeoutIdle: 5m');
      await daemon.start();
    });

    it('stops on SIGTERM with exit code 0, while containers go on and are adopted by the next one', async () => {
      const [pidFile, goOn] = [daemon.path('pid'), daemon.path('go-on')];
      const [uuid] = await submit([`echo $$ >${pidFile}; until [ -e ${goOn} ]; do sleep 0.1; done; exit 7`]);
      await expect.poll(async () => (await instances())[0]?.containers, patient).toEqual([uuid]);
      await expect.poll(() => readFile(pidFile, 'utf8').catch(() => ''), patient).toMatch(/^\d+\n$/);
      const pid = Number(await readFile(pidFile, 'utf8'));
      const commandOf = (): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const before = commandOf();
      expect(before).toContain(goOn);
      expect(await daemon.end('SIGTERM')).toBe(0);
      expect(commandOf()).toBe(before);
      await daemon.start();
      await expect.poll(async () => (await instances())[0]?.containers, patient).toEqual([uuid]);
      expect(commandOf()).toBe(before);
      await writeFile(goOn, '');
      await expect
        .poll(async () => (await containers())[0], patient)
        .toMatchObject({ state: 'Complete', exitCode: 7 });
    });

    it('keeps an instance on hold over a restart, as its tag says (T-2, I-9)', async () => {
      const [uuid] = await submit(['true']);
      await expect
        .poll(async () => (await containers())[0], patient)
        .toMatchObject({ uuid, state: 'Complete' });
      const id = (await instances())[0]!.instance;
      await daemon.call(`/v1/instances/${id}/hold`, { reason: 'to look around' });
      const [setId] = await import('node:fs').then(({ readdirSync }) =>
        readdirSync(daemon.path('state', 'loopback')),
      );
      const tags = (): string =>
        readFileSync(daemon.path('state', 'loopback', setId!, 'instances.json'), 'utf8');
      await expect.poll(tags, patient).toContain('"ArvadosIdleBehavior":"hold"');
      await daemon.end('SIGTERM');
      await daemon.start();
      await expect
        .poll(instances, patient)
        .toMatchObject([{ instance: id, idleBehavior: 'hold', state: 'idle' }]);
    });

    it('refuses to be two on the same store, naming the other', async () => {
      const { code, said } = await daemon.startAnother();
      expect([code, said]).toEqual([1, expect.stringContaining(`in use by process ${daemon.pid}`)]);
      expect(await instances()).toEqual([]);
    });
  });
});
