import type { ConfigProblem } from './config-error.js';
import type { ConfigFile } from './schema.js';
import type { YamlFile } from './yaml-file.js';

/** Checks the other settings that a controller needs. */
export function controllerProblems(config: ConfigFile, file: YamlFile): ConfigProblem[] {
  const { controller, runner, scheduler, systemRootToken } = config;
  const problem = (place: string[], message: string): ConfigProblem => ({
    path: place.join('.'),
    message,
    ...file.placeOf(place),
  });
  if (controller.url === '') {
    if (!file.has(['controller']) || file.has(['controller', 'url'])) return [];
    return [
      problem(
        ['controller', 'url'],
        'is missing: give https://HOST of the controller, or leave controller out',
      ),
    ];
  }
  const problems: ConfigProblem[] = [];
  if (systemRootToken === '') {
    const message = 'is missing: the controller takes only the SystemRootToken of its cluster';
    problems.push(problem(['systemRootToken'], message));
  }
  if (runner.deploy === 'built-in') {
    const message =
      "the built-in runner reports to no controller: give the path of the cluster's crunch-run, or '' where instances have it";
    problems.push(problem(['runner', 'deploy'], message));
  }
  if (scheduler.localKeepBlobBuffersPerVcpu > 0 && controller.clusterConfigFile === '') {
    const message =
      'a storage client on instances needs controller.clusterConfigFile: give it, or set 0 to use the storage services';
    problems.push(problem(['scheduler', 'localKeepBlobBuffersPerVcpu'], message));
  }
  if (controller.database === '' && controller.clusterConfigFile === '' && !controller.withoutLock) {
    problems.push(problem(['controller', 'database'], `is missing: ${lockRemedy}`));
  }
  return problems;
}

/** The remedy for a missing dispatch lock. */
export const lockRemedy =
  'give postgres://USER@HOST/DATABASE of the cluster, whose dispatch lock keeps the old dispatcher out, or controller.withoutLock: true to do without';
