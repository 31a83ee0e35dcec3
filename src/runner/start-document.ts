import { argumentFault } from '../domain/argument-limits.js';
import { environmentFault, isDelicateName } from '../domain/environment-fault.js';
import { singleQuote } from '../domain/shell-quote.js';
import type { ContainerWork } from '../domain/container-work.js';

/** Clouds that tell an instance when it will be taken away. */
export type SpotNotices = 'ec2' | 'azure';

/** What the runner program reads from its standard input. */
export interface StartDocument {
  env: Readonly<Record<string, string>>;
  keepBuffers: number;
  /** The whole cluster configuration, or `null`; holds secrets. */
  cluster: unknown;
  /** Whose notices of interruption the runner looks for; `undefined`: the instance is not preemptible. */
  spotNotices: SpotNotices | undefined;
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

/**
 * One line of JSON: the four keys of R-3, and before them, for Longshore's own runner, a shell text in base64, so that
 * a shell needs no JSON parser. Throws {@link StartDocumentError}.
 */
export function buildStartDocument(document: StartDocument): string {
  const { env, keepBuffers, cluster, spotNotices, work } = document;
  const EC2SpotCheck = spotNotices === 'ec2';
  const reference = { Env: env, KeepBuffers: keepBuffers, Cluster: cluster, EC2SpotCheck };
  if (!work) return JSON.stringify(reference);
  validate(work);
  const script = Buffer.from(shellText(work, document)).toString('base64');
  return `${JSON.stringify({ Longshore: script, ...reference })}\n`;
}

function validate({ command, env, image, cwd }: ContainerWork): void {
  if ([...command, ...Object.values(env), cwd, image].some((value) => value.includes('\0')))
    throw new StartDocumentError('command, env, cwd or image holds a zero byte');
  const fault = argumentFault(command, env) ?? environmentFault(env, image);
  if (fault) throw new StartDocumentError(`${fault.path.join('.')}: ${fault.message}`);
  if (image !== '') return;
  const [program] = command;
  if (program === undefined || program === '') throw new StartDocumentError('command: nothing to run');
  if (program.includes('=') && Object.keys(env).some(isDelicateName))
    throw new StartDocumentError(`command: "${program}" cannot be told from a variable`);
}

/** Assignments and two functions for the runner program; `complete` comes last and tells that nothing was lost. */
function shellText(work: ContainerWork, document: StartDocument): string {
  const argv = work.command.map(singleQuote).join(' ');
  const pairs = Object.entries(work.env);
  const plain = pairs.filter(([name]) => !isDelicateName(name));
  const delicate = pairs.filter(([name]) => isDelicateName(name));
  return [
    `image=${singleQuote(work.image)}`,
    `cwd=${singleQuote(work.cwd)}`,
    `vcpus=${wholeNumber(work.vcpus)}`,
    `ram_bytes=${wholeNumber(work.ramBytes)}`,
    `max_run_time_s=${wholeNumber(work.maxRunTimeMs / 1_000)}`,
    `log_limit_bytes=${wholeNumber(document.logLimitBytes)}`,
    `spot_check=${document.spotNotices ?? ''}`,
    `env_names=${singleQuote(plain.map(([name]) => name).join(' '))}`,
    `container_specials() {`,
    ['"$@"', ...delicate.map(([name, value]) => singleQuote(`${name}=${value}`))].join(' '),
    `}`,
    `container_exec() {`,
    ...plain.map(([name, value]) => `export "$LONGSHORE_PREFIX"${name}=${singleQuote(value)}`),
    `exec "$@" ${argv}`,
    `}`,
    `complete=1`,
    '',
  ].join('\n');
}

/** In digits alone, as a shell compares it: no fraction, no exponent, nothing below 0. */
function wholeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new StartDocumentError(`${value} is no limit`);
  return BigInt(Math.min(Math.max(Math.ceil(value), 0), Number.MAX_SAFE_INTEGER)).toString();
}
