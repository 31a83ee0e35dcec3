import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findTool } from './tools.js';

const run = promisify(execFile);

/** The image that {@link RealEngine} has. */
export const tinyImage = 'localhost/tiny:1';

const configuration = (runtime: string, init: string): string => `
[containers]
init_path = "${init}"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
runtime = "${runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

/** podman with containers and images in a folder of its own, and one image: busybox with its libraries. */
export class RealEngine {
  readonly #folder: string;
  /** A program of the name `podman` that works in the folder. */
  readonly program: string;

  readonly #init: string;

  private constructor(folder: string, init: string) {
    this.#folder = folder;
    this.#init = init;
    this.program = join(folder, 'podman');
  }

  /** `init`: the program for `--init`; podman refuses that option when there is none. Rejects where podman cannot run a container. */
  static async create(init: string): Promise<RealEngine> {
    const engine = new RealEngine(await mkdtemp(join(tmpdir(), 'longshore-engine-')), init);
    try {
      await engine.use(engine.program, 'runc');
      await engine.#makeImage();
      await engine.run('run', '--rm', tinyImage, 'true');
    } catch (error) {
      await engine.remove();
      throw error;
    }
    return engine;
  }

  /** Writes a program that runs podman with this OCI runtime. */
  async use(file: string, runtime: string): Promise<void> {
    const config = join(this.#folder, `${runtime.replaceAll('/', '_')}.conf`);
    await writeFile(config, configuration(runtime, this.#init));
    const storage = ['root', 'runroot', 'tmpdir'].map((name) => `--${name} ${join(this.#folder, name)}`);
    await writeFile(
      file,
      `#!/bin/sh\nCONTAINERS_CONF=${config}; export CONTAINERS_CONF\n` +
        `exec ${findTool('podman')} ${storage.join(' ')} --storage-driver vfs "$@"\n`,
    );
    await chmod(file, 0o755);
  }

  async run(...words: string[]): Promise<string> {
    const { stdout } = await run(this.program, words, { timeout: 60_000 });
    return stdout.trim();
  }

  /** Names of all containers that it has, whatever their state. */
  async containers(): Promise<string[]> {
    const names = await this.run('ps', '--all', '--format', '{{.Names}}');
    return names.split('\n').filter((name) => name !== '');
  }

  async remove(): Promise<void> {
    await this.run('rm', '--force', '--all', '--time', '0').catch(() => '');
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #makeImage(): Promise<void> {
    const busybox = findTool('busybox');
    if (!busybox) throw new Error('busybox is not installed');
    const rootfs = join(this.#folder, 'rootfs');
    await mkdir(join(rootfs, 'bin'), { recursive: true });
    await mkdir(join(rootfs, 'tmp'));
    await copyFile(busybox, join(rootfs, 'bin/busybox'));
    for (const file of await librariesOf(busybox)) {
      await mkdir(dirname(join(rootfs, file)), { recursive: true });
      await copyFile(file, join(rootfs, file));
    }
    for (const applet of ['sh', 'cat', 'env', 'sleep', 'true', 'head', 'tr', 'pwd'])
      await symlink('busybox', join(rootfs, 'bin', applet));
    const archive = join(this.#folder, 'image.tar');
    await run('tar', ['-C', rootfs, '-cf', archive, '.']);
    await this.run('import', '--quiet', archive, tinyImage);
  }
}

/** None for a program that is linked statically, for which ldd fails. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
  return stdout.match(/\/[^\s)]+/g) ?? [];
}
