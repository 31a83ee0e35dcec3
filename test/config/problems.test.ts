import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, type ConfigProblem } from '../../src/config/config-error.js';
import { loadConfig, parseConfig } from '../../src/config/load.js';
import { generateKeyPair } from '../../src/ssh/keys.js';

const base = 'clusterId: local\n';

function problemsIn(text: string, env = {}): readonly ConfigProblem[] {
  try {
    parseConfig(text, { path: '/nowhere/c.yaml', env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a problem of the configuration', () => {
  it.each([
    [
      'pool: { timeoutIdle: 5 }',
      'pool.timeoutIdle',
      2,
      22,
      'give a duration like 10s, 1h30m or 500ms (it is 5)',
    ],
    [
      'pool: { timeoutIdle: }',
      'pool.timeoutIdle',
      2,
      22,
      'is empty: leave it out, or give a duration like 10s',
    ],
    ['pool: { maxInstances: 1.5 }', 'pool.maxInstances', 2, 23, 'give a whole number (0: no limit'],
    ['pool: { maxInstances: -1 }', 'pool.maxInstances', 2, 23, 'give 0 or more (it is -1)'],
    ['pool: { sshPort: 70000 }', 'pool.sshPort', 2, 18, 'give a port from 1 to 65535, or ssh (it is 70000)'],
    [
      'pool: { maxProbesPerSecond: lots }',
      'pool.maxProbesPerSecond',
      2,
      29,
      'give a number, or auto (it is "lots")',
    ],
    ['pool: { deployPublicKey: "no" }', 'pool.deployPublicKey', 2, 26, 'give true or false (it is "no")'],
    ['pool: { resourceTags: { cost: 1 } }', 'pool.resourceTags.cost', 2, 31, 'give text, in quotes'],
    [
      'runner: { runtimeEngine: rkt }',
      'runner.runtimeEngine',
      2,
      26,
      'give one of "docker", "singularity", "podman"',
    ],
    [
      'pool: { warm: [{ instanceType: tiny }] }',
      'pool.warm.0.instanceType',
      2,
      32,
      '"tiny" is no instance type: known are localhost',
    ],
    [
      'pool: { warm: [{ instanceType: localhost, schedule: noon }] }',
      'pool.warm.0.schedule',
      2,
      53,
      'give five cron fields of the minutes in which it holds',
    ],
    [
      'pool: { warm: [{ instanceType: localhost, timezone: Moon/Sea }] }',
      'pool.warm.0.timezone',
      2,
      53,
      'give a name like Europe/Berlin',
    ],
    [
      'pool: { warm: [{ instanceType: localhost, cron: x }] }',
      'pool.warm.0.cron',
      2,
      43,
      'is not a setting: known are instanceType, idle, schedule, timezone',
    ],
    ['runner: { arguments: -v }', 'runner.arguments', 2, 22, 'give a list (it is "-v")'],
    [
      'scheduler: { supervisorFraction: 2 }',
      'scheduler.supervisorFraction',
      2,
      34,
      'give 1 or less (it is 2)',
    ],
    ['scheduler: { reserveExtraRam: 1.5 }', 'scheduler.reserveExtraRam', 2, 31, 'give a size like 4GiB'],
    ['api: { listen: 9006 }', 'api.listen', 2, 16, 'give text'],
    ['api: { listen: "host:99999" }', 'api.listen', 2, 16, 'give host:port like 127.0.0.1:9006'],
    ['api: { tlsKeyFile: x }', 'api.tlsCertFile', 2, 6, 'give both tlsCertFile and tlsKeyFile, or none'],
    ['instanceTypes: { a: { ram: 1GiB, price: 1 } }', 'instanceTypes.a.vcpus', 2, 21, 'is missing: give a'],
    [
      'instanceTypes: { "a b": { vcpus: 1, ram: 1GiB, price: 1 } }',
      'instanceTypes.a b',
      2,
      18,
      'use letters, digits',
    ],
    [
      'instanceTypes: { a: { vcpu: 1, vcpus: 1, ram: 1, price: 1 } }',
      'instanceTypes.a.vcpu',
      2,
      23,
      'did you mean vcpus?',
    ],
    ['instanceTypes: [a]', 'instanceTypes', 2, 16, 'give a map from names to values, not a list'],
    ['driver: simulated', 'instanceTypes', 1, 1, 'give at least one instance type: a map'],
    ['logLevel: loud', 'logLevel', 2, 11, 'give one of "trace", "debug"'],
    ['store: postgres://u:hush@h/d', 'store', 2, 8, 'give it as storePassword'],
    ['store: mysql://h/d', 'store', 2, 8, 'give a path, a file: URL or postgres:'],
    [
      'managementToken: env:NOT_SET',
      'managementToken',
      2,
      18,
      'the environment variable NOT_SET is not set: set it',
    ],
    ['systemRootToken: file:///nowhere/t', 'systemRootToken', 2, 18, 'there is no file /nowhere/t: make it'],
    ['systemRootToken: file:///', 'systemRootToken', 2, 18, 'cannot be read (EISDIR)'],
    [
      'dispatchPrivateKey: hush',
      'dispatchPrivateKey',
      2,
      21,
      'is no private key: give the OpenSSH or PEM text',
    ],
    ['pol: {}', 'pol', 2, 1, 'is not a setting: did you mean pool?'],
  ])('in "%s" is told with path, place and remedy (C-24, CF-6)', (line, path, row, column, text) => {
    const found = problemsIn(`${base}${line}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ path, line: row, column });
    expect(found[0]!.message).toContain(text);
    expect(found[0]!.message).not.toContain('hush');
  });

  it.each([
    ['', 'clusterId', 'is missing: give text'],
    ['[]', '', 'give a map of settings'],
    ['just text', '', 'give a map of settings'],
    ['a: 1\na: 2\n', '', 'this key is here twice'],
    ['a:\n\tb: 1\n', '', 'indent with spaces, not with a tab'],
    ['a: 1\n---\nb: 2\n', '', 'a second document begins'],
    ['a: b: c\n', '', 'two colons on one line'],
  ])('in the file %j as a whole is told, too', (text, path, message) => {
    const [first] = problemsIn(text);
    expect(first).toMatchObject({ path, line: expect.any(Number) as number });
    expect(first!.message).toContain(message);
  });

  it('never comes alone when there are others: schema, secrets and types are judged together', () => {
    const text = 'clusterId: x\ndriver: ec2\nmanagementToken: env:NOT_SET\nnonsense: 1\n';
    const paths = problemsIn(text).map(({ path }) => path);
    expect(paths.sort()).toEqual(['clusterId', 'instanceTypes', 'managementToken', 'nonsense']);
  });

  it('does not come from aliases without end', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++) {
      const before = String.fromCharCode(96 + i);
      const name = String.fromCharCode(97 + i);
      lines.push(`${name}: &${name} [${Array<string>(9).fill(`*${before}`).join(',')}]`);
    }
    expect(problemsIn(lines.join('\n'))[0]!.message).toContain('repeats its aliases too often');
  });

  it.each([
    '*hush',
    '!hush',
    '"hush\\q"',
    '"x" hush',
    'a: hush',
    '[hush',
    '@hush',
    '{hush',
    '`hush',
    '|\n  x\n hush',
  ])('never shows the secret in managementToken: %s', (value) => {
    const found = problemsIn(`${base}managementToken: ${value}\n`);
    expect(found.length).toBeGreaterThan(0);
    expect(JSON.stringify(found)).not.toContain('hush');
  });

  it('is the only thing any text can lead to', () => {
    const word = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '{',
      '}',
      '[',
      '"',
      '*',
      '&',
      '!',
      'pool',
      '1',
      '#',
      '|',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        expect(problemsIn(words.join('')).length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('secrets', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'longshore-config-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('come from files, also beside the configuration, from the environment, or as they are (C-24, C-29, C-30)', () => {
    const { privateKey } = generateKeyPair();
    write('token', 'from-file\n');
    const key = write('key', privateKey);
    const path = write(
      'c.yaml',
      `${base}managementToken: file://token\nsystemRootToken: env:T\ndispatchPrivateKey: file://${key}\n`,
    );
    const config = loadConfig(path, { T: ' from-env ' });
    expect(config).toMatchObject({ managementToken: 'from-file', systemRootToken: 'from-env' });
    expect(config.dispatchPrivateKey).toBe(privateKey.trim());
  });

  it('may be repeated by an alias', () => {
    const text = `${base}managementToken: &t one\nsystemRootToken: *t\n`;
    expect(parseConfig(text, { path: '/c.yaml', env: {} })).toMatchObject({ systemRootToken: 'one' });
  });

  it('in an empty file are refused, because an empty token means "nobody" (H-1)', () => {
    write('token', '\n');
    const path = write('c.yaml', `${base}managementToken: file://token\n`);
    expect(() => loadConfig(path, {})).toThrow('the file token is empty: put the secret in it');
  });

  it('are fetched only as far as asked for', () => {
    const path = write('c.yaml', `${base}managementToken: one\nsystemRootToken: env:NOT_SET\n`);
    expect(loadConfig(path, {}, ['managementToken'])).toMatchObject({
      managementToken: 'one',
      systemRootToken: '',
    });
  });

  it('of a configuration that is not there are not the problem', () => {
    expect(() => loadConfig(join(folder, 'no.yaml'), {})).toThrow('cannot be read (ENOENT): give the path');
  });
});
