import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { driverSecretsOf } from '../../src/config/driver-secrets.js';
import { runCommand } from '../support/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'longshore-show-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const head = `clusterId: zzzzz
managementToken: hush-token
systemRootToken: hush-root
storePassword: hush-store
controllerDatabasePassword: hush-database
instanceTypes: { a: { vcpus: 1, ram: 1GiB, price: 1 } }
`;

async function show(text: string): Promise<{ text: string; json: Record<string, unknown> }> {
  const path = join(folder, 'c.yaml');
  writeFileSync(path, head + text);
  const { exitCode, output } = runCommand({ daemon: { url: '' } }, ['config', 'show', path]);
  expect([await exitCode, output.err]).toEqual([0, '']);
  return { text: output.out, json: JSON.parse(output.out) as Record<string, unknown> };
}

const censor = '[redacted]';

describe('config show', () => {
  it('hides what the schema of the driver marks as secret, and shows the rest', async () => {
    const { text, json } = await show(`driver: ec2
driverParameters:
  region: us-east-1
  accessKeyId: hush-id
  secretAccessKey: hush-key
  subnetId: [subnet-1]
  securityGroupIds: { sg-1: {} }
  endpoint: https://me:hush-url@ec2.example/?token=hush-query
  instanceTypeQuotaGroups: { m: standard }
`);
    expect(text).not.toContain('hush');
    expect(json['driverParameters']).toMatchObject({
      region: 'us-east-1',
      accessKeyId: censor,
      secretAccessKey: censor,
      subnetId: ['subnet-1'],
      endpoint: `https://me:${censor}@ec2.example/?token=${censor}`,
      instanceTypeQuotaGroups: { m: 'standard' },
    });
  });

  it('hides whatever a program of the operator is given, whatever its name, and keeps the names', async () => {
    const { text, json } = await show(`driver: exec
driverParameters:
  command: [./driver]
  env: { CLOUD_AUTH: hush-auth, REGION: hush-region }
  parameters: { credential: hush-credential, pass: [hush-pass], deep: { auth: hush-deep, port: 4711 } }
`);
    expect(text).not.toMatch(/hush|4711/);
    expect(json['driverParameters']).toEqual({
      command: ['./driver'],
      env: { CLOUD_AUTH: censor, REGION: censor },
      parameters: { credential: censor, pass: [censor], deep: { auth: censor, port: censor } },
    });
  });

  it('hides the passwords of addresses anywhere', async () => {
    const { text } = await show(
      'runner: { arguments: ["--proxy=http://u:hush@proxy:1/"] }\npool: { bootProbeCommand: "curl ftp://u:hush@h/x" }\n',
    );
    expect(text).not.toContain('hush');
    expect(text).toContain(`--proxy=http://u:${censor}@proxy:1/`);
  });

  it('hides what query parameters, options and assignments in commands are named as secrets', async () => {
    const { text, json } = await show(`driver: exec
driverParameters: { command: [./driver, --region, eu, --auth-token, hush-1, --client-secret=hush-2, --verbose] }
store: postgres://longshore@db/queue?sslmode=require&sslpassword=hush-3
runner: { arguments: ["--api_token=hush-4", --password, hush-5, --monkeys=3] }
pool:
  instanceInitCommand: "export DB_PASSWORD='hush-6 hush-7' KEYBOARD=us; login --credential hush-8 --user me"
  bootProbeCommand: "curl -u me:hush-9 'https://h/x?X-Amz-Signature=hush-10&part=2'"
`);
    expect(text).not.toContain('hush');
    expect(json['driverParameters']).toEqual({
      command: [
        './driver',
        ...['--region', 'eu', '--auth-token', censor, `--client-secret=${censor}`, '--verbose'],
      ],
    });
    expect(json['store']).toBe(`postgres://longshore@db/queue?sslmode=require&sslpassword=${censor}`);
    const { arguments: words } = json['runner'] as { arguments: string[] };
    expect(words).toEqual([`--api_token=${censor}`, '--password', censor, '--monkeys=3']);
    expect(json['pool']).toMatchObject({
      instanceInitCommand: `export DB_PASSWORD=${censor} KEYBOARD=us; login --credential ${censor} --user me`,
      bootProbeCommand: `curl -u me:${censor} 'https://h/x?X-Amz-Signature=${censor}&part=2'`,
    });
  });

  it('names to redaction what the schema marks, whatever it is called', () => {
    const secrets = driverSecretsOf({
      driver: 'exec',
      driverParameters: {
        command: ['./driver'],
        parameters: { credential: 'hush-credential', deep: ['hush-deep'] },
      },
    });
    expect(secrets).toEqual(['hush-credential', 'hush-deep']);
  });
});
