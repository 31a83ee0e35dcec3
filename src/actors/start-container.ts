import { createHmac } from 'node:crypto';
import { fromPromise } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { Instance } from '../domain/instance.js';
import type { Mandate } from '../domain/leader-guard.js';
import { toWire, type InstanceType } from '../domain/instance-type.js';
import { singleQuote } from '../domain/shell-quote.js';
import type { ContainerOnInstance, StartOutcome } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import type { Queue } from '../queue/queue.js';
import { buildStartDocument, type SpotNotices } from '../runner/start-document.js';
import type { FairSlots } from '../async/fair-slots.js';
import { bounded } from '../async/deadline.js';
import type { Executors } from '../fleet/instance-executors.js';
import { asRoot, uuidWord } from '../runner/remote-command.js';
import type { RunnerProgram } from '../runner/program.js';
import { startFailure, type KnownStartFailure } from './start-failure.js';
import type { StartFailures } from '../fleet/start-failures.js';
import type { ContainerWork } from '../domain/container-work.js';
import type { RunnerSettings } from '../runner/runner-settings.js';
import { inTurn } from '../async/semaphore.js';

export interface StartContainerDeps {
  executors: Executors;
  runner: RunnerProgram;
  queue: Queue;
  settings: RunnerSettings;
  /** Dispatcher token: key of the gateway secret, and what a reference runner reports with. */
  systemRootToken: string;
  keepBuffersPerVcpu: number;
  /** `null` unless instances run their own storage client. */
  clusterConfig: unknown;
  /** The cloud that tells preemptible instances of an interruption; `undefined`: none does. */
  spotNotices: SpotNotices | undefined;
  /** Of each step: asking the queue, telling it, and the command. */
  timeoutMs: number;
  /** How many starts may be under way at once. */
  starts: FairSlots;
  failures: StartFailures;
  mandate: Mandate;
  clock: Clock;
}

const maxOutputBytes = instanceLimits.outputBytes.start;

/**
 * Starts one container. It is recorded as running there before the command is sent; when that cannot be
 * recorded, or this daemon leads no longer, nothing is sent. When it is certain that nothing ran, the record is taken
 * back; else the container may run there until a probe says otherwise.
 */
export const startContainerWith = (deps: StartContainerDeps) =>
  fromPromise<StartOutcome, ContainerOnInstance>(async ({ input, signal }) => {
    const { executors, runner, queue, settings, timeoutMs, starts, mandate, clock, failures } = deps;
    let isRecorded = false;
    let attempt: number | undefined;
    let isSent = false;
    failures.begun(input.uuid);
    try {
      const uuid = uuidWord(input.uuid);
      const program = await runner.command(executors.of(input.instanceId));
      const bounds = { timeoutMs, clock, signal };
      await inTurn(starts.of(input.instanceId), signal, async () => {
        const work = await bounded('the queue', () => queue.work(uuid), bounds);
        const { executor, instance, type } = executors.of(input.instanceId);
        const stdin = startDocument(deps, uuid, work, { instance, type });
        const where = { instanceId: instance.id, instanceTypeName: type.name, pricePerHour: type.price };
        attempt = await bounded('the queue', () => queue.started(uuid, where, clock.now()), bounds);
        isRecorded = true;
        const line = startCommand(program, settings, uuid, runner.isOurs ? attempt : undefined);
        const command = asRoot(line, instance.remoteUser);
        await mandate.confirm();
        isSent = true;
        executors.conduct.gives(instance.id, uuid);
        executors.hostKeys.finalise(instance.id);
        const permit = (): void => mandate.assert();
        await executor.run(command, { stdin, timeoutMs, signal, maxOutputBytes, permit });
      });
      return { ok: true };
    } catch (error) {
      const failure = startFailure(error, runner.isOurs);
      const { reason, fault } = failure;
      const { instanceId, uuid } = input;
      const ranNothing = failure.ranNothing || !isSent || fault === 'occupied';
      failures.failed(uuid, { instanceId, attempt, reason, ranNothing, isOfDaemon: fault === 'daemon' });
      if (fault === 'daemon') return failure;
      return {
        ...failure,
        ranNothing: await takenBack(deps, input, { failure, isRecorded, attempt, signal }),
      };
    }
  });

interface Refusal {
  failure: KnownStartFailure;
  isRecorded: boolean;
  attempt: number | undefined;
  signal: AbortSignal;
}

/**
 * True when the queue holds the attempt for one that never was. What the store does not take now, the dispatcher tells
 * it once a probe found nothing there.
 */
async function takenBack(
  { queue, timeoutMs, clock, mandate }: StartContainerDeps,
  { instanceId, uuid }: ContainerOnInstance,
  { failure, isRecorded, attempt, signal }: Refusal,
): Promise<boolean> {
  const { ranNothing, fault, reason } = failure;
  if (!ranNothing) return false;
  try {
    await bounded(
      'the queue',
      async () => {
        if (isRecorded) return queue.revertStart(uuid, { instanceId, attempt, reason });
        if (fault !== 'container') return;
        await mandate.confirm();
        await queue.cancel(uuid, reason);
      },
      { timeoutMs, clock, signal },
    );
    return true;
  } catch {
    return false;
  }
}

/** Buffers go by what the container asked for, not by the whole instance, which others may share (K-29). */
function startDocument(
  deps: StartContainerDeps,
  uuid: string,
  work: ContainerWork | undefined,
  { instance, type }: { instance: Instance; type: InstanceType },
): string {
  const { keepBuffersPerVcpu, clusterConfig, spotNotices, queue, settings } = deps;
  const vcpus = work?.vcpus ?? queue.get(uuid)?.constraints.vcpus ?? type.vcpus;
  return buildStartDocument({
    env: runnerEnv(deps, instance, type, uuid),
    keepBuffers: keepBuffersPerVcpu > 0 ? keepBuffersPerVcpu * vcpus : 0,
    cluster: keepBuffersPerVcpu > 0 ? clusterConfig : null,
    spotNotices: type.preemptible ? spotNotices : undefined,
    work,
    logLimitBytes: settings.logLimitBytes,
  });
}

/** R-2, without `sudo`. `attempt`: for Longshore's own runner program, which records it. */
export function startCommand(
  program: string,
  settings: Pick<RunnerSettings, 'runtimeEngine' | 'arguments'>,
  uuid: string,
  attempt?: number,
): string {
  const args = [
    `--runtime-engine=${settings.runtimeEngine}`,
    ...settings.arguments,
    ...(attempt === undefined ? [] : [`--attempt=${attempt}`]),
    uuid,
  ].map(singleQuote);
  return `${program} --detach --stdin-config ${args.join(' ')}`;
}

/** The host part of an address joined with port 0. */
export function gatewayAddress(address: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(address);
  const colons = address.split(':').length - 1;
  const host = bracketed ? bracketed[1]! : colons === 1 ? address.slice(0, address.indexOf(':')) : address;
  return host.includes(':') ? `[${host}]:0` : `${host}:0`;
}

function runnerEnv(
  { settings, systemRootToken, runner }: StartContainerDeps,
  instance: Instance,
  type: InstanceType,
  uuid: string,
): Record<string, string> {
  return {
    ARVADOS_API_HOST: settings.apiHost,
    // Longshore's own program reports through its result and has no use for the token.
    ARVADOS_API_TOKEN: runner.isOurs ? '' : systemRootToken,
    InstanceType: `${JSON.stringify(toWire(type), null, 4)}\n`,
    GatewayAddress: gatewayAddress(instance.address),
    GatewayAuthSecret: createHmac('sha256', systemRootToken).update(uuid).digest('hex'),
    ...(settings.apiHostInsecure ? { ARVADOS_API_HOST_INSECURE: '1' } : {}),
  };
}
