import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildStartDocument, StartDocumentError } from '../../src/runner/start-document.js';
import type { ContainerWork } from '../../src/domain/container-work.js';

const work: ContainerWork = {
  command: ['true'],
  env: {},
  image: '',
  cwd: '',
  vcpus: 1,
  ramBytes: 0,
  maxRunTimeMs: 0,
};
const build = (changes: Partial<ContainerWork>): string =>
  buildStartDocument({
    env: { ARVADOS_API_HOST: 'host' },
    keepBuffers: 2,
    cluster: null,
    spotNotices: 'ec2',
    logLimitBytes: 1e6,
    work: { ...work, ...changes },
  });
const script = (document: string): string => {
  const { Longshore } = JSON.parse(document) as { Longshore: string };
  return Buffer.from(Longshore, 'base64').toString();
};
/** What a shell makes of the script: runs `then` after it. */
const inShell = (document: string, then: string): string =>
  execFileSync('sh', ['-c', `eval "$SCRIPT"\nLONGSHORE_PREFIX=\n${then}`], {
    env: { ...process.env, SCRIPT: script(document) },
    encoding: 'utf8',
  });

describe('the start document', () => {
  it('has exactly the four keys of the reference when the runner fetches the container itself (T-39, R-3)', () => {
    const document = buildStartDocument({
      env: { A: '1' },
      keepBuffers: 0,
      cluster: null,
      spotNotices: undefined,
      work: undefined,
      logLimitBytes: 1,
    });
    expect(JSON.parse(document)).toEqual({
      Env: { A: '1' },
      KeepBuffers: 0,
      Cluster: null,
      EC2SpotCheck: false,
    });
  });

  it('begins with the part for the own runner, in one line, and keeps the four keys (R-3)', () => {
    const document = build({});
    expect(document).toMatch(/^\{"Longshore":"[A-Za-z0-9+/=]+",/);
    expect(document.indexOf('\n')).toBe(document.length - 1);
    expect(JSON.parse(document)).toMatchObject({
      Env: { ARVADOS_API_HOST: 'host' },
      KeepBuffers: 2,
      Cluster: null,
      EC2SpotCheck: true,
    });
  });

  it('writes limits as whole numbers that a shell can compare', () => {
    const document = build({ vcpus: 0.5, ramBytes: 1e21, maxRunTimeMs: 1 });
    expect(
      inShell(document, 'echo $vcpus $ram_bytes $max_run_time_s $log_limit_bytes $spot_check $complete'),
    ).toBe(`1 ${Number.MAX_SAFE_INTEGER} 1 1000000 ec2 1\n`);
    expect(() => build({ ramBytes: Number.NaN })).toThrow(StartDocumentError);
  });

  it.each([
    ['a variable name that no shell takes', { env: { 'A-B': '' } }],
    ['a variable name that is a command', { env: { 'x; rm -rf /': '' } }],
    ['a zero byte in a word', { command: ['a\0b'] }],
    ['a zero byte in a value', { env: { A: '\0' } }],
    ['no command where there is no image either', { command: [] }],
    [
      'a program that looks like a variable beside variables that travel as words',
      { command: ['a=b'], env: { PATH: 'x' } },
    ],
  ])('refuses %s', (_, changes) => {
    expect(() => build(changes)).toThrow(StartDocumentError);
  });

  it('hands any words and values through a shell unchanged (K-26)', () => {
    const text = fc
      .string({ unit: 'binary' })
      .filter((value) => !value.includes('\0') && value.isWellFormed());
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), text, text, (words, value, folder) => {
        const document = build({
          command: ['printf', '%s\\n', ...words],
          env: { VALUE: value },
          cwd: `/${folder}`,
        });
        const seen = inShell(document, `(container_exec)\nprintf '%s\\n' "$cwd"`);
        expect(seen.startsWith(`${words.join('\n')}\n/${folder}\n`)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
