/** Where a container ran and how it ended. */
export interface ContainerResult {
  exitCode: number;
  /** Epoch ms. */
  startedAt: number;
  finishedAt: number;
  /** What the owner should know beside the exit code; `''` when nothing. */
  note: string;
  /** It was stopped at its time limit: trying again would not help. */
  timedOut?: boolean;
  stdout: string;
  stderr: string;
}

/** What the runner program gets to know of a container beyond the four keys of R-3. */
export interface ContainerWork {
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  image: string;
  cwd: string;
  vcpus: number;
  ramBytes: number;
  maxRunTimeMs: number;
}
