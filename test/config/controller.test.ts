import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseClusterYaml } from '../../src/config/cluster-yaml.js';
import {
  checkClusterFiles,
  clusterDatabase,
  readCaFile,
  readClusterConfig,
} from '../../src/config/cluster-files.js';
import { ConfigError, type ConfigProblem } from '../../src/config/config-error.js';
import { parseConfig } from '../../src/config/load.js';

const folder = mkdtempSync(join(tmpdir(), 'longshore-controller-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, 'longshore.yaml');
const parse = (text: string) => parseConfig(`clusterId: zzzzz\n${text}`, { path, env: {} });
/** What the cluster's programs merge into a file as people write it, as far as runners need it. */
const mergedDefaults = {
  Collections: { BlobSigning: true, BlobSigningTTL: '336h' },
  Containers: { LocalKeepBlobBuffersPerVCPU: 1, LocalKeepLogsToContainerLog: 'none' },
  SystemLogs: { Format: 'json', LogLevel: 'info' },
};
const whole = `systemRootToken: v2/zzzzz-gj3su-077z32aux8dg2s1/abc
runner: { deploy: '' }
scheduler: { localKeepBlobBuffersPerVcpu: 0 }
`;

function problemsIn(text: string): readonly ConfigProblem[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a controller in the configuration', () => {
  it('sends runners to the same address, unless told otherwise (R-3)', () => {
    const { controller, runner } = parse(
      `${whole}controller: { url: "https://c.example:8000/", insecure: true, withoutLock: true }\n`,
    );
    expect(controller).toEqual({
      url: 'https://c.example:8000',
      caFile: '',
      insecure: true,
      requestTimeoutMs: 60_000,
      lookAhead: 1_000,
      clusterConfigFile: '',
      database: '',
      withoutLock: true,
    });
    expect(runner).toMatchObject({ apiHost: 'c.example:8000', apiHostInsecure: true });
    const inner = whole.replace("deploy: ''", "deploy: '', apiHost: inner.example");
    expect(parse(`${inner}controller: { url: https://c.example, withoutLock: true }\n`).runner).toMatchObject(
      {
        apiHost: 'inner.example',
        apiHostInsecure: false,
      },
    );
  });

  it('asks for all it needs of the other settings at once, with the remedy', () => {
    const found = problemsIn('controller: { url: https://c.example }\n');
    expect(found.map((each) => [each.path, each.message])).toEqual([
      ['systemRootToken', 'is missing: the controller takes only the SystemRootToken of its cluster'],
      ['runner.deploy', expect.stringContaining("give the path of the cluster's crunch-run, or ''")],
      [
        'scheduler.localKeepBlobBuffersPerVcpu',
        expect.stringContaining('needs controller.clusterConfigFile'),
      ],
      ['controller.database', expect.stringContaining('give postgres://USER@HOST/DATABASE of the cluster')],
    ]);
  });

  it.each([
    ['controller: { insecure: true }', 'controller.url', 'is missing: give https://HOST of the controller'],
    ['controller: { url: c.example }', 'controller.url', 'give https://HOST or https://HOST:PORT'],
    ['controller: { url: "https://c.example/arvados" }', 'controller.url', 'without a path'],
    ['controller: { url: "https://u:p@c.example" }', 'controller.url', 'without a path, user or password'],
    ['controller: { url: "https://c", lookAhead: 0 }', 'controller.lookAhead', 'give 1 or more'],
    ['controller: { urll: "https://c" }', 'controller.urll', 'did you mean url?'],
  ])('in "%s" is told what is wrong', (line, place, text) => {
    const found = problemsIn(`${whole}${line}\n`);
    expect(found[0]).toMatchObject({ path: place, line: 5 });
    expect(found[0]!.message).toContain(text);
  });

  it('reads the part of its cluster from the file, and says what is wrong with one', () => {
    const write = (text: string): void => writeFileSync(join(folder, 'cluster.yml'), text);
    const config = parse(
      `${whole}controller: { url: https://c.example, caFile: cluster.yml, clusterConfigFile: cluster.yml, withoutLock: true }\n`,
    );
    expect(() => readClusterConfig(config)).toThrow('controller.clusterConfigFile: cannot be read (ENOENT)');
    const part = { SystemRootToken: 'hush', ...mergedDefaults };
    write(stringify({ Clusters: { zzzzz: part, other: {} } }));
    expect(readClusterConfig(config)).toEqual(part);
    write(JSON.stringify(part));
    expect(readClusterConfig(config)).toEqual(part);
    write('Clusters: { other: {} }');
    expect(() => readClusterConfig(config)).toThrow('knows no cluster zzzzz');
    write('a: [hush');
    expect(() => readClusterConfig(config)).toThrow(/is no YAML: (?!.*hush)/);
    write('hush');
    expect(() => readClusterConfig(config)).toThrow('is no map');
    expect(() => readCaFile(config)).toThrow('controller.caFile: holds no certificate: give a PEM file');
    write('-----BEGIN CERTIFICATE-----\n');
    expect(readCaFile(config)).toContain('BEGIN');
  });

  it('refuses a file without the merged defaults, naming them and the remedy', () => {
    const config = parse(
      `${whole}controller: { url: https://c.example, clusterConfigFile: raw.yml, withoutLock: true }\n`,
    );
    const write = (cluster: object): void =>
      writeFileSync(join(folder, 'raw.yml'), stringify({ Clusters: { zzzzz: cluster } }));
    write({ SystemRootToken: 'hush', Containers: { CloudVMs: { Enable: true } } });
    expect(() => checkClusterFiles(config)).toThrow(
      'lacks Collections.BlobSigning, Collections.BlobSigningTTL, Containers.LocalKeepBlobBuffersPerVCPU, ' +
        'Containers.LocalKeepLogsToContainerLog, SystemLogs.Format, SystemLogs.LogLevel, which runners need: ' +
        'give the output of "arvados-server config-dump"',
    );
    write({ ...mergedDefaults, Collections: { BlobSigning: false, BlobSigningTTL: '' } });
    expect(() => checkClusterFiles(config)).toThrow(/lacks Collections\.BlobSigningTTL, which/);
    write(mergedDefaults);
    expect(() => checkClusterFiles(config)).not.toThrow();
  });

  it('reads the file of a cluster as its own programs do, which is YAML 1.1', () => {
    const text =
      'a: yes\nb: 0644\nc: off\nd: 1:30\ne: 2026-01-01\nf: 336h\ng: "yes"\nh: &x { i: 1 }\nj: { <<: *x }\n';
    expect(parseClusterYaml(text)).toEqual({
      a: true,
      b: 0o644,
      c: false,
      d: '1:30',
      e: '2026-01-01',
      f: '336h',
      g: 'yes',
      h: { i: 1 },
      j: { i: 1 },
    });
  });

  it('takes the dispatch lock in the database that is named, or in that of the cluster file', () => {
    const of = (settings: string) => parse(`${whole}controller: { url: https://c.example, ${settings} }\n`);
    const named = of('database: "postgres://dispatcher@db/arvados"');
    expect(clusterDatabase(named)).toEqual({ url: 'postgres://dispatcher@db/arvados', password: '' });
    expect(clusterDatabase(of('withoutLock: true'))).toBeUndefined();
    expect(of('withoutLock: true').warnings.at(-1)).toContain(
      'nothing keeps the old dispatcher from running',
    );
    expect(named.warnings).toEqual([expect.stringContaining('driver loopback')]);
    const write = (PostgreSQL: object): void =>
      writeFileSync(join(folder, 'db.yml'), stringify({ ...mergedDefaults, PostgreSQL }));
    write({
      Connection: {
        host: 'db.example',
        port: '5433',
        user: 'arv',
        password: 'hush@',
        dbname: 'arvados_production',
      },
    });
    const filed = of('clusterConfigFile: db.yml');
    expect(clusterDatabase(filed)).toEqual({
      url: 'postgres://arv@localhost/arvados_production?host=db.example&port=5433',
      password: 'hush@',
    });
    write({ Connection: {} });
    expect(() => checkClusterFiles(filed)).toThrow(
      /has no PostgreSQL\.Connection: give postgres:.*withoutLock/,
    );
    expect(
      problemsIn(`${whole}controller: { url: https://c, database: "postgres://u:hush@h/d" }\n`)[0],
    ).toMatchObject({
      path: 'controller.database',
      message: expect.stringMatching(/^(?!.*hush).*give it as controllerDatabasePassword/) as string,
    });
  });

  it('is not there without its address', () => {
    const config = parse('');
    expect(config.controller.url).toBe('');
    expect([readCaFile(config), readClusterConfig(config)]).toEqual(['', null]);
    expect(config.runner.apiHost).toBe('');
  });
});
