/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** `pool.timeoutIdle`; `''` for the file as a whole. */
  path: string;
  /** What is wrong and what to write instead. */
  message: string;
  line?: number;
  column?: number;
}

/** The configuration cannot be used; names every problem at once. Never shows a secret. */
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
