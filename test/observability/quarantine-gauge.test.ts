import { expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { WorkerGaugeView } from '../../src/domain/instance-view.js';
import { Metrics } from '../../src/observability/metrics.js';
import { smallType } from '../support/worker-world.js';

it('counts an instance in quarantine once, by whomever it was quarantined', async () => {
  const worker = (instanceId: string, isQuarantined: boolean): WorkerGaugeView => ({
    instanceId,
    instanceType: smallType,
    workerState: 'running',
    idleBehavior: 'drain',
    runners: 0,
    isQuarantined,
    probedAt: 0,
  });
  const metrics = new Metrics({
    clock: systemClock,
    workers: () => [
      worker('both', true),
      worker('driver', true),
      worker('daemon', false),
      worker('none', false),
    ],
    isQuarantined: (instanceId) => ['both', 'daemon', 'gone'].includes(instanceId),
    atQuota: () => false,
    typeNames: () => [],
    queueEntries: () => [],
    schedule: () => ({
      allocatedNotStarted: 0,
      overQuota: 0,
      longestWaitSeconds: 0,
      last503Seconds: 0,
      maxContainers: 0,
    }),
  });
  expect(await metrics.registry.metrics()).toMatch(/^longshore_instances_quarantined 3$/m);
});
