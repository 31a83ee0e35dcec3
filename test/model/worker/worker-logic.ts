import { observed } from '../../../src/machines/inspection/observe-transitions.js';
import type { Tags } from '../../../src/domain/instance.js';
import { runnerMachine } from '../../../src/machines/runner.js';
import type { ContainerOnInstance, OnInstance } from '../../../src/machines/worker-effects.js';
import { workerMachine } from '../../../src/machines/worker.js';
import type { Reporter } from '../../../src/observability/reporter.js';
import { buildMachine, oncePerBuild, scripted, type Stage } from '../exploring/effects.js';
import { nameOf } from './words.js';

export interface WorkerStage extends Stage {
  writesTags(tags: Tags): void;
  now(): number;
  reporter: Reporter;
}

export const machinesOf = oncePerBuild((build) => {
  const stage = {} as WorkerStage;
  const onContainer = (word: string) =>
    scripted<ContainerOnInstance>(stage, ({ uuid }) => `${word} ${nameOf(uuid)}`);
  const onInstance = (word: string) => scripted<OnInstance>(stage, () => word);
  const runner = buildMachine(build, 'runner', runnerMachine, {
    startContainer: onContainer('start'),
    killContainer: onContainer('term'),
    collectResult: onContainer('collect'),
  });
  const actors = {
    runner,
    bootProbe: onInstance('boot'),
    copyRunner: onInstance('copy'),
    runProbe: onInstance('run'),
    destroyInstance: onInstance('destroy'),
    watch: onInstance('watch'),
    saveTags: scripted<OnInstance & { tags: Tags }>(
      stage,
      () => 'tags',
      ({ tags }) => {
        stage.writesTags(tags);
        return ` ${Object.values(tags).join(' ')}`;
      },
    ),
  };
  const labelOf = ({ context }: { context: unknown }): string =>
    ` × ${(context as { idleBehavior: string }).idleBehavior}`;
  const wrap = (machine: typeof workerMachine): typeof workerMachine =>
    observed(machine, { now: () => stage.now() }, (...step) => stage.reporter.workers.stepped(...step));
  return { stage, worker: buildMachine(build, 'worker', workerMachine, actors, { labelOf, wrap }) };
});
