import { singleQuote } from '../domain/shell-quote.js';
import type { ContainerWork } from '../queue/queue.js';

/** What the runner program reads from its standard input. */
export interface StartDocument {
  env: Readonly<Record<string, string>>;
  keepBuffers: number;
  /** The whole cluster configuration, or `null`; holds secrets. */
  cluster: unknown;
  ec2SpotCheck: boolean;
  /** `undefined` for a runner that fetches the container itself. */
  work: ContainerWork | undefined;
  /** Bytes of each of stdout and stderr that are kept. */
  logLimitBytes: number;
}

/** A container asks for something a shell cannot be told. */
export class StartDocumentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StartDocumentError';
  }
}

const envName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * One line of JSON: the four keys of R-3, and before them, for Longshore's own runner, a shell text in base64, so that
 * a shell needs no JSON parser. Throws {@link StartDocumentError}.
 */
export function buildStartDocument(document: StartDocument): string {
  const { env, keepBuffers, cluster, ec2SpotCheck, work } = document;
  const reference = { Env: env, KeepBuffers: keepBuffers, Cluster: cluster, EC2SpotCheck: ec2SpotCheck };
  if (!work) return JSON.stringify(reference);
  const script = Buffer.from(shellText(work, document)).toString('base64');
  return `${JSON.stringify({ Longshore: script, ...reference })}\n`;
}

function shellText(work: ContainerWork, document: StartDocument): string {
  const names = Object.keys(work.env);
  const bad = names.find((name) => !envName.test(name));
  if (bad !== undefined) throw new StartDocumentError(`env: "${bad}" is no name of an environment variable`);
  const values = [...work.command, ...Object.values(work.env), work.cwd, work.image];
  if (values.some((value) => value.includes('\0')))
    throw new StartDocumentError('command or env holds a zero byte');
  const argv = work.command.map(singleQuote).join(' ');
  return [
    `image=${singleQuote(work.image)}`,
    `cwd=${singleQuote(work.cwd)}`,
    `vcpus=${Math.ceil(work.vcpus)}`,
    `ram_bytes=${Math.ceil(work.ramBytes)}`,
    `max_run_time_s=${Math.ceil(work.maxRunTimeMs / 1_000)}`,
    `log_limit_bytes=${document.logLimitBytes}`,
    `spot_check=${document.ec2SpotCheck ? 1 : 0}`,
    `env_names=${singleQuote(names.join(' '))}`,
    `container_env() {`,
    ...names.map((name) => `export ${name}=${singleQuote(work.env[name]!)}`),
    `:`,
    `}`,
    `container_argv() { lead ${argv}; }`,
    `container_in() { lead "$@" ${argv}; }`,
    '',
  ].join('\n');
}
