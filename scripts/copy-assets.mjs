// Copies what the compiler leaves out into the build, and packs what browsers load.
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const from = new URL('../src/', import.meta.url);
const to = new URL('../dist/', import.meta.url);
const page = new URL('page/', to);
const require = createRequire(import.meta.url);

await mkdir(new URL('runner/', to), { recursive: true });
await mkdir(new URL('vendor/', page), { recursive: true });
await copyFile(new URL('runner/longshore-runner.sh', from), new URL('runner/longshore-runner.sh', to));
await chmod(new URL('main.js', to), 0o755);

for (const name of ['index.html', 'style.css', 'icon.svg']) {
  await copyFile(new URL(`page/${name}`, from), new URL(name, page));
}
const vendored = {
  'preact.js': new URL(
    'preact/standalone.module.js',
    pathToFileURL(require.resolve('htm')).href.replace(/dist\/.*$/, ''),
  ),
  'uplot.js': require.resolve('uplot').replace(/uPlot\.cjs\.js$/, 'uPlot.esm.js'),
  'uplot.css': require.resolve('uplot/dist/uPlot.min.css'),
};
for (const [name, source] of Object.entries(vendored)) {
  await copyFile(source, new URL(`vendor/${name}`, page));
}
for (const entry of await readdir(page, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(entry)) continue;
  const file = new URL(entry, page);
  await writeFile(new URL(`${file.href}.gz`), gzipSync(await readFile(file), { level: 9 }));
}
