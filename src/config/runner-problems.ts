import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigProblem } from './config-error.js';
import type { ConfigFile } from './schema.js';
import type { YamlFile } from './yaml-file.js';

/** Rejects a runner that would be this process's own program, which is Node.js and runs no container (C-17). */
export function runnerProblems(
  { runner: { deploy }, controller }: Pick<ConfigFile, 'runner' | 'controller'>,
  path: string,
  file: YamlFile,
): ConfigProblem[] {
  if (!isOwnProgram(deploy, dirname(path))) return [];
  const remedy =
    controller.url === ''
      ? "give built-in, Longshore's own runner"
      : "give the path of the cluster's crunch-run, or '' where instances have it";
  const message = `is the program of this process, Node.js, which runs no containers: ${remedy}`;
  return [{ path: 'runner.deploy', message, ...file.placeOf(['runner', 'deploy']) }];
}

function isOwnProgram(deploy: string, folder: string): boolean {
  if (deploy === '' || deploy === 'built-in') return false;
  const program = resolve(folder, deploy);
  if (/^\/proc\/(self|thread-self|\d+)\/exe$/.test(program)) return true;
  try {
    return realpathSync(program) === realpathSync(process.execPath);
  } catch {
    // The health of the runner program reports whether it exists.
    return false;
  }
}
