import { randomBytes } from 'node:crypto';
import type { EventObject } from 'xstate';
import type { ApiDeps, LiveParts } from '../api/deps.js';
import { LiveFeed } from '../api/live-feed.js';
import { instanceBody } from '../api/wire.js';
import { WorkerWatchers } from '../api/worker-watchers.js';
import type { Clock } from '../domain/clock.js';
import type { Journal, JournalEntry } from '../journal/journal.js';
import { nameOf } from '../domain/state-value.js';
import { isForReplay } from '../journal/replay/step-recorder.js';
import type { Core } from './core.js';
import type { WorkerSnapshot } from '../machines/worker.js';

export interface LiveOptions {
  clock: Clock;
  core(): Omit<Core, 'stop'>;
  conduct: NonNullable<ApiDeps['conduct']>;
  summary(): Promise<Record<string, unknown>>;
}

/** Sources of the live stream, and the observers that feed them. */
export interface Live extends LiveParts {
  note(entry: JournalEntry): void;
  step(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void;
}

export function assembleLive({ clock, core, conduct, summary }: LiveOptions): Live {
  const watchers = new WorkerWatchers();
  const feed = new LiveFeed({
    clock,
    epoch: randomBytes(4).toString('hex'),
    sources: {
      instance: (id) => {
        const view = core().pool.instance(id);
        return view && instanceBody(view, conduct(id));
      },
      launches: () =>
        core()
          .pool.launches()
          .map((view) => instanceBody(view)),
      summary,
    },
  });
  return {
    feed,
    watchers,
    chart: (instanceId) => core().pool.chart(instanceId),
    note: (entry) => {
      feed.note(entry);
      if (entry.kind === 'worker.gone') watchers.notify(entry.instance ?? '', undefined);
    },
    step: (event, before, after) => {
      const { id } = after.context.instance;
      if (!watchers.has(id)) return;
      watchers.notify(id, { at: clock.now(), event: event.type, changes: changesOf(before, after) });
    },
  };
}

function changesOf(before: WorkerSnapshot, after: WorkerSnapshot) {
  return (Object.keys(after.value) as (keyof typeof after.value)[]).flatMap((region) => {
    const from = nameOf(before.value[region]);
    const to = nameOf(after.value[region]);
    return from === to ? [] : [{ region, from, to }];
  });
}

/** Decorates a journal and notifies a listener of each entry. */
export function announced(journal: Journal, tell: (entry: JournalEntry) => void): Pick<Journal, 'append'> {
  return {
    append: (entry) => {
      journal.append(entry);
      if (!isForReplay(entry)) tell(entry);
    },
  };
}
