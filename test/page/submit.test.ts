import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { keepScreenshot } from '../support/chromium.js';
import { startPageWorld, type PageWorld, type Visit } from '../support/page-world.js';

const text = fc.string({ unit: 'binary', maxLength: 30 }).filter((each) => !each.includes('\0'));
const awkward = fc.oneof(
  text,
  fc.constantFrom('a b', '$HOME', 'c;d', '', '\r\n', "'", '"', '\\', '%s|', '-c', '--'),
);
const size = fc.oneof(
  fc.nat(2 ** 40),
  fc.nat(1_000).map((count) => count * 2 ** 20),
);
const milliseconds = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 10 ** 9 }));
const duration = milliseconds.map((ms) => (ms === 0 ? 0 : `${ms}ms`));
/** With priority 0 nothing runs. */
const request = fc.record(
  {
    command: fc.oneof(
      fc.array(awkward, { minLength: 1, maxLength: 6 }),
      awkward.map((script) => ['sh', '-c', script]),
    ),
    name: text,
    env: fc.dictionary(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/), awkward, { maxKeys: 4 }),
    image: text,
    cwd: text,
    vcpus: fc.integer({ min: 0, max: 2 }),
    ram: size,
    scratch: size,
    preemptible: fc.boolean(),
    supervisor: fc.boolean(),
    onDemandFallback: fc.boolean(),
    maxRunTime: duration,
    retry: fc.record({
      exitCodes: fc.oneof(fc.constant('any'), fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 5 })),
      delay: duration,
    }),
    attempts: fc.integer({ min: 1, max: 100 }),
    gpu: fc.record({
      stack: fc.constantFrom('cuda', 'rocm'),
      driverVersion: text,
      hardwareTarget: fc.array(text, { maxLength: 3 }),
      deviceCount: fc.integer({ min: 1, max: 8 }),
      vram: size,
    }),
  },
  { requiredKeys: ['command'] },
);

describe('submitting on the page', { timeout: 180_000 }, () => {
  let world: PageWorld | undefined;
  let visit: Visit;

  beforeEach(async (context) => {
    world ??= await startPageWorld(context);
    visit = await world.visit();
    visit.page.setDefaultTimeout(15_000);
    await visit.logIn();
  });
  afterAll(() => world?.close());

  const requestOf = async (uuid: string): Promise<unknown> =>
    (await world!.app.ask(`/v1/containers/${uuid}/request`)).json as unknown;
  /** Presses the button; the UUID of what was made. */
  const send = async (page: Page): Promise<string> => {
    const reply = page.waitForResponse((each) => each.request().method() === 'POST');
    await page.getByRole('button', { name: 'Submit' }).click();
    const { items } = (await (await reply).json()) as { items: { uuid: string }[] };
    return items[0]!.uuid;
  };

  it('again carries the very same request, whatever it holds', async () => {
    const { page, open, problems } = visit;
    await fc.assert(
      fc.asyncProperty(request, async (container) => {
        const body = { containers: [{ ...container, priority: 0, idempotencyKey: '' }] };
        const made = await world!.app.ask('/v1/containers', { body });
        expect([made.status, made.text]).toEqual([201, expect.anything()]);
        const [{ uuid }] = (made.json as { items: [{ uuid: string }] }).items;
        await open(`containers/${uuid}`);
        await page.getByRole('link', { name: 'submit again' }).click();
        await page.getByLabel(/^Command/).waitFor();
        const again = await send(page);
        expect(again).not.toBe(uuid);
        const before = await requestOf(uuid);
        expect(await requestOf(again)).toEqual(before);
        expect(before).toMatchObject({ command: container.command, env: container.env ?? {} });
      }),
      { numRuns: 25, endOnFailure: true },
    );
    expect(problems).toEqual([]);
  });

  it('sends words as they are written, in JSON', async () => {
    const { page, open } = visit;
    await fc.assert(
      fc.asyncProperty(fc.array(awkward, { minLength: 1, maxLength: 6 }), async (command) => {
        await open('');
        await open('submit');
        await page.getByRole('radio', { name: 'words' }).check();
        await page.getByLabel(/^Command/).fill(JSON.stringify(command));
        await page.getByLabel('Priority').fill('0');
        expect(await requestOf(await send(page))).toMatchObject({ command });
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it('keeps what was entered when the daemon refuses it, and marks each wrong field with its message', async () => {
    const { page, open } = visit;
    await open('submit');
    const entered: Record<string, string> = {
      'Command, run by sh -c': 'echo one\necho two',
      Name: 'kept',
      Image: 'debian:12',
      RAM: '1 gigabyte',
      vCPUs: 'many',
      Priority: '0',
      'Environment: NAME=value lines, or JSON': 'A=1\nB=two words ',
    };
    for (const [label, value] of Object.entries(entered))
      await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole('checkbox', { name: /preemptible/ }).check();
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Retry on exit codes').fill('75, 1000');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByText('"1 gigabyte" is no size: write it like 4GiB, 500MB or 1048576').waitFor();
    await keepScreenshot(page, 'submit-refused');
    for (const [label, value] of Object.entries(entered))
      expect(await page.getByLabel(label, { exact: true }).inputValue()).toBe(value);
    expect(await page.getByRole('checkbox', { name: /preemptible/ }).isChecked()).toBe(true);
    const marked = await page.locator('[aria-invalid=true]').all();
    const names = await Promise.all(marked.map((each) => each.getAttribute('name')));
    expect(names.sort()).toEqual(['ram', 'retryOn', 'vcpus']);
    const described = await page.getByLabel('RAM').getAttribute('aria-describedby');
    expect(await page.locator(`#${described!}`).textContent()).toContain('is no size');
    await page.getByLabel('RAM').fill('1GiB');
    await page.getByLabel('vCPUs').fill('2');
    await page.getByLabel('Retry on exit codes').fill('75');
    expect(await requestOf(await send(page))).toMatchObject({
      command: ['sh', '-c', 'echo one\necho two'],
      name: 'kept',
      image: 'debian:12',
      ram: 2 ** 30,
      vcpus: 2,
      preemptible: true,
      env: { A: '1', B: 'two words ' },
      retry: { exitCodes: [75], delay: 0 },
    });
  });

  it('marks what the page itself cannot read, and sends nothing', async () => {
    const { page, open } = visit;
    await open('submit');
    await page.getByRole('radio', { name: 'words' }).check();
    await page.getByLabel(/^Command/).fill('sh -c x');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByText(/^enter JSON, a list of words/).waitFor();
    expect(await page.locator('[aria-invalid=true]').getAttribute('name')).toBe('command');
    expect(await page.getByLabel(/^Command/).inputValue()).toBe('sh -c x');
  });

  it('shows a container that failed as failed, in red, on its own page and in the list', async () => {
    const { page, open } = visit;
    const uuid = await world!.submit('exit 127', { name: 'failing' });
    await open(`containers/${uuid}`);
    const pill = page.locator('.heading .pill', { hasText: 'Failed (exit 127)' });
    await pill.waitFor({ timeout: 60_000 });
    const color = await page.evaluate('getComputedStyle(document.querySelector(".heading .pill")).color');
    expect(color).toBe('rgb(179, 38, 30)');
    const { state } = (await world!.app.ask(`/v1/containers/${uuid}`)).json as { state: string };
    expect(state).toBe('Complete');
    await open('containers');
    await page.getByRole('button', { name: 'complete', exact: true }).click();
    await page.locator('tr', { hasText: 'failing' }).getByText('Failed (exit 127)').waitFor();
    await open('');
    await page
      .getByLabel('Figures')
      .getByText(/ 1 failed/)
      .waitFor();
  });
});
