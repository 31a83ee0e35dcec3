import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDaemon } from '../../src/cli/client.js';
import { startInProcess } from '../support/in-process.js';
import { runCommand } from '../support/command-line.js';

describe('the management token of the command line', () => {
  let folder: string;
  let config: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-token-'));
    config = join(folder, 'longshore.yaml');
    await writeFile(
      config,
      `clusterId: token
managementToken: auto
dispatchPrivateKey: file://${join(folder, 'of-another-user')}
stateDir: ./state
api: { listen: '127.0.0.1:9' }
`,
    );
    await mkdir(join(folder, 'state'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = (): string => join(folder, 'state', 'management-token');

  it('is the one that the daemon made, without its other secrets', async () => {
    await writeFile(tokenFile(), 'made-by-the-daemon\n', { mode: 0o600 });
    expect(findDaemon({ config }, {})).toEqual({ url: 'http://127.0.0.1:9', token: 'made-by-the-daemon' });
  });

  it('is the one that is given, and then no secret of the daemon is read', async () => {
    await symlink(tokenFile(), tokenFile());
    const { token } = findDaemon({ config }, { LONGSHORE_TOKEN: 'given' });
    expect(token).toBe('given');
    await writeFile(join(folder, 'token'), 'in-a-file\n');
    expect(findDaemon({ config, tokenFile: join(folder, 'token') }, {}).token).toBe('in-a-file');
  });

  it('that may not be read is an error with the file and the remedy', async () => {
    await symlink(tokenFile(), tokenFile());
    expect(() => findDaemon({ config }, {})).toThrow(
      /state\/management-token: .*may not read it \(ELOOP\).*LONGSHORE_TOKEN/,
    );
    expect(() => findDaemon({ config, tokenFile: join(folder, 'none') }, {})).toThrow(
      /cannot read --token-file .*none \(ENOENT\)/,
    );
  });

  it('lets the command line use a daemon that made it, with the same configuration', async () => {
    const app = await startInProcess('managementToken: auto');
    try {
      await writeFile(
        join(app.folder, 'longshore.yaml'),
        'clusterId: wired\nmanagementToken: auto\nstateDir: ./state\n',
      );
      const { exitCode, output } = runCommand(
        app,
        ['--config', join(app.folder, 'longshore.yaml'), 'queue'],
        {
          env: {},
        },
      );
      expect([await exitCode, output.err]).toEqual([0, '']);
    } finally {
      await app.stop();
    }
  });
});
