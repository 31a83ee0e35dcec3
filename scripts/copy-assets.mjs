// Copies what the compiler leaves out into the build.
import { chmod, copyFile, mkdir } from 'node:fs/promises';

const from = new URL('../src/', import.meta.url);
const to = new URL('../dist/', import.meta.url);
await mkdir(new URL('runner/', to), { recursive: true });
await copyFile(new URL('runner/longshore-runner.sh', from), new URL('runner/longshore-runner.sh', to));
await chmod(new URL('main.js', to), 0o755);
