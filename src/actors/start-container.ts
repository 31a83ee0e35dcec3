import { createHmac } from 'node:crypto';
import { fromPromise } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { Instance } from '../domain/instance.js';
import { toWire, type InstanceType } from '../domain/instance-type.js';
import { singleQuote } from '../domain/shell-quote.js';
import type { RunnerSettings } from '../config/config.js';
import type { ContainerOnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import type { Queue } from '../queue/queue.js';
import { buildStartDocument } from '../runner/start-document.js';
import type { Slots } from '../ssh/slots.js';
import type { Executors } from './executors.js';
import { remoteFailure } from './remote-failure.js';
import { asRoot, type RunnerProgram } from './runner-program.js';

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
  isEc2: boolean;
  timeoutMs: number;
  starts: Slots;
  clock: Clock;
}

/** Starts one container. It is recorded as running there before the command is sent. */
export const startContainerWith = (deps: StartContainerDeps) =>
  fromPromise<RemoteOutcome, ContainerOnInstance>(async ({ input, signal }) => {
    const { executors, runner, queue, settings, timeoutMs, starts, clock } = deps;
    try {
      const { uuid, instanceId } = input;
      const program = await runner.command();
      const { executor, instance, type } = executors.of(instanceId);
      const work = await queue.work(uuid);
      const document = buildStartDocument({
        env: runnerEnv(deps, instance, type, uuid),
        keepBuffers: deps.keepBuffersPerVcpu > 0 ? deps.keepBuffersPerVcpu * (work?.vcpus ?? type.vcpus) : 0,
        cluster: deps.keepBuffersPerVcpu > 0 ? deps.clusterConfig : null,
        ec2SpotCheck: deps.isEc2 && type.preemptible,
        work,
        logLimitBytes: settings.logLimitBytes,
      });
      const placement = { instanceId, instanceTypeName: type.name, pricePerHour: type.price };
      await queue.started(uuid, placement, clock.now());
      await starts.take(signal);
      try {
        const command = asRoot(startCommand(program, settings, uuid), instance.remoteUser);
        await executor.run(command, { stdin: document, timeoutMs, signal });
      } finally {
        starts.release();
      }
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });

/** R-2, without `sudo`. */
export function startCommand(
  program: string,
  settings: Pick<RunnerSettings, 'runtimeEngine' | 'arguments'>,
  uuid: string,
): string {
  const args = [`--runtime-engine=${settings.runtimeEngine}`, ...settings.arguments, uuid].map(singleQuote);
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
  { settings, systemRootToken }: StartContainerDeps,
  instance: Instance,
  type: InstanceType,
  uuid: string,
): Record<string, string> {
  return {
    ARVADOS_API_HOST: settings.apiHost,
    ARVADOS_API_TOKEN: systemRootToken,
    InstanceType: `${JSON.stringify(toWire(type), null, 4)}\n`,
    GatewayAddress: gatewayAddress(instance.address),
    GatewayAuthSecret: createHmac('sha256', systemRootToken).update(uuid).digest('hex'),
    ...(settings.apiHostInsecure ? { ARVADOS_API_HOST_INSECURE: '1' } : {}),
  };
}
