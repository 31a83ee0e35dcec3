/** The program that runs containers on instances. */
export interface RunnerSettings {
  /** `built-in`: Longshore's own; a path: that file is copied; `''`: nothing is copied and `command` is used. */
  deploy: string;
  deployDirectory: string;
  /** The fallback folder when the first cannot be created or does not allow execution. */
  deployFallback?: string;
  /** The command when nothing is deployed. */
  command: string;
  runtimeEngine: string;
  arguments: readonly string[];
  /** Environment of the runner in addition to R-3. */
  apiHost: string;
  apiHostInsecure: boolean;
  /** Bytes kept of each of stdout and stderr of a container. */
  logLimitBytes: number;
}
