import type { Instance } from '../../../src/domain/instance.js';
import type { CreateOutcome, LaunchRequest } from '../../../src/machines/cloud-effects.js';
import { launchMachine, type LaunchOutput } from '../../../src/machines/launch.js';
import { buildMachine, scripted, type Effects, type Stage } from '../exploring/effects.js';
import type { Build } from '../exploring/world.js';
import { instanceType } from '../worker/settings.js';

export function launchRequest(launchId: string): LaunchRequest {
  return { launchId, instanceType, secret: 'ab', because: 'a container waits' };
}

/** The machine of one create call with scripted effects, each named after the call it belongs to. */
export function scriptedLaunch(build: Build, stage: Stage): typeof launchMachine {
  const typeOf = ({ instanceType: type }: LaunchRequest): string => ` ${type.name}`;
  return buildMachine(build, 'launch', launchMachine, {
    recordIntent: scripted<LaunchRequest>(stage, ({ launchId }) => `record ${launchId}`, typeOf),
    createInstance: scripted<LaunchRequest>(stage, ({ launchId }) => `create ${launchId}`, typeOf),
    settleIntent: scripted<LaunchRequest & { outcome: string }>(
      stage,
      ({ launchId }) => `settle ${launchId}`,
      ({ outcome }) => ` ${outcome}`,
    ),
  });
}

const instance = { id: 'i-1' } as Instance;
const refusal: CreateOutcome = { ok: false, error: { code: 'quota', message: 'no more' } };

/** The answers a step of a create call can have. */
export function launchAnswers(effects: Effects): string[] {
  return effects.names().flatMap((name) => {
    const [effect] = name.split(' ');
    const answers = effect === 'create' ? ['ok', 'no', 'fault', 'poison'] : ['ok', 'fault'];
    return effect === 'list' ? [] : answers.map((answer) => `${name} ${answer}`);
  });
}

export function answerLaunch(effects: Effects, name: string, answer: string): void {
  if (answer === 'fault') return effects.fail(name, new Error('a bug of ours'));
  if (!name.startsWith('create')) return effects.succeed(name, undefined);
  effects.succeed(name, answer === 'poison' ? undefined : answer === 'no' ? refusal : { ok: true, instance });
}

export function describeLaunch({ outcome }: LaunchOutput): string {
  return outcome.ok
    ? `created ${outcome.instance.id}`
    : `refused ${outcome.error.code}: ${outcome.error.message}`;
}
