/** One problem of the configuration. */
export interface ConfigProblem {
  /** `pool.timeoutIdle`; `''` for the file as a whole. */
  path: string;
  /** The problem and its remedy. */
  message: string;
  line?: number;
  column?: number;
}

/** The configuration is unusable; lists every problem. Never contains a secret. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => describe(file, problem)).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

function describe(file: string, { path, message, line, column }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}
