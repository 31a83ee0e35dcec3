import { driverParameters } from '../drivers/parameters.js';
import type { ConfigProblem } from './config-error.js';
import { explainIssue } from './explain-issue.js';
import { nearest } from './nearest.js';
import type { ConfigFile } from './schema.js';
import type { YamlFile } from './yaml-file.js';

const base = 'driverParameters';

/** Checks the driver's name and its parameters, whose secrets are already resolved. */
export function driverProblems(
  { driver }: Pick<ConfigFile, 'driver'>,
  parameters: unknown,
  file: YamlFile,
): ConfigProblem[] {
  const known = driverParameters.get(driver);
  if (!known) return [unknownDriver(driver, file)];
  const parsed = known.schema.safeParse(parameters);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => {
    const placed = { ...issue, path: [base, ...issue.path] };
    const { retired = {} } = known;
    return explainIssue(placed, file, known.schema, 1).map((problem) => {
      const remedy = retired[problem.path.slice(base.length + 1)];
      return remedy === undefined ? problem : { ...problem, message: `is no parameter any more: ${remedy}` };
    });
  });
}

function unknownDriver(driver: string, file: YamlFile): ConfigProblem {
  const names = [...driverParameters.keys()];
  const hint = nearest(driver, names);
  const remedy = hint === undefined ? `known are ${names.join(', ')}` : `did you mean ${hint}?`;
  return { path: 'driver', message: `"${driver}" is no driver: ${remedy}`, ...file.placeOf(['driver']) };
}
