import { containerOf, type ContainerRow } from '../queue/store/container-rows.js';
import type { ContainerLife, RunLife } from './ground-truth.js';
import type { World } from './world.js';
import type { Report } from './violation.js';

/** A start command that is on its way when its container is given up still arrives. */
const onItsWayMs = 120_000;

/** What may happen to a container, judged by what really happened. */
export class ContainerRules {
  readonly #world: World;
  readonly #report: Report;
  readonly #givenUp = new Set<string>();
  /** Processes whose result came home and was not the last: their container is tried again. */
  readonly #settled = new Set<RunLife>();
  readonly #rows = new Map<string, ContainerRow>();
  /** When the attempt that a row is in, or was in last, was recorded; ms since the start. */
  readonly #attemptSinceMs = new Map<string, number>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  row(row: ContainerRow, before: ContainerRow | undefined): void {
    this.#rows.set(row.uuid, row);
    const wasFinal = before?.state === 'Complete' || before?.state === 'Cancelled';
    if (wasFinal && row.state !== before.state) {
      this.#report('what ended stays ended', row.uuid, `it was ${before.state} and became ${row.state}`);
    }
    if (row.state === 'Running' && before?.state !== 'Running')
      this.#attemptSinceMs.set(row.uuid, this.#world.elapsedMs);
    if (row.state === 'Complete' && before?.state !== 'Complete') this.#completed(row);
    if (row.state === 'Queued' && before?.state === 'Running') this.#triedAgain(row, before);
    if (row.state === 'Cancelled' && before?.state !== 'Cancelled') this.#cancelled(row);
  }

  /** The daemon tried for long to have a result, and could not. */
  givenUp(uuid: string, instanceId: string): void {
    this.#givenUp.add(`${uuid} ${instanceId}`);
  }

  began(uuid: string, run: RunLife): void {
    const life = this.#world.ledger.containers.get(uuid);
    const row = this.#rows.get(uuid);
    if (!life || !row) return this.#report('only known containers run', uuid, `it runs on ${run.instanceId}`);
    this.#oneAtATime(life);
    this.#notOverYet(life, row, run);
    for (const earlier of life.runs) {
      const isThere = this.#world.ledger.instances.get(earlier.instanceId)?.endedAtMs === undefined;
      const isGivenUp = this.#givenUp.has(`${uuid} ${earlier.instanceId}`);
      if (earlier === run || earlier.ending !== 'exit' || !isThere || isGivenUp) continue;
      if (this.#settled.has(earlier)) continue;
      const what = `it ended on ${earlier.instanceId}, which is still there, and runs again on ${run.instanceId}`;
      this.#report('a result is brought home', uuid, what);
    }
  }

  /** Everything must be at rest. */
  atEnd(): void {
    for (const { uuid, state, finishedAtMs, runs } of this.#world.ledger.containers.values()) {
      if (finishedAtMs === undefined) this.#report('every container ends', uuid, `it is still ${state}`);
      const live = runs.find(({ endedAtMs }) => endedAtMs === undefined);
      if (live) this.#report('every process ends', uuid, `it still runs on ${live.instanceId}`);
    }
  }

  #oneAtATime({ uuid, runs }: ContainerLife): void {
    const live = runs.filter(({ endedAtMs }) => endedAtMs === undefined);
    if (live.length < 2) return;
    const where = live.map(({ instanceId }) => instanceId).join(' and ');
    this.#report('one instance at a time', uuid, `it runs on ${where}`);
  }

  /** It runs where the store says that it does; a start that was on its way when it was given up is forgiven. */
  #notOverYet({ uuid, finishedAtMs }: ContainerLife, row: ContainerRow, { instanceId }: RunLife): void {
    if (row.state === 'Running' && row.instance_id === instanceId) return;
    const sinceMs = this.#world.elapsedMs - (finishedAtMs ?? this.#world.elapsedMs);
    if (row.state === 'Cancelled' && sinceMs < onItsWayMs) return;
    const what = `it began on ${instanceId} while the store says ${row.state} ${row.instance_id}`.trim();
    this.#report('recorded before it runs', uuid, what);
  }

  /** By its retry policy, or because its process was lost. */
  #triedAgain(row: ContainerRow, before: ContainerRow): void {
    if (!/exited with \d+$/.test(row.error)) return;
    const { scheduling } = containerOf(row);
    const last = this.#endedOf(before);
    if (last) this.#settled.add(last);
    const { exitCode, durationMs } = this.#world.itemOf(row.uuid) ?? { exitCode: 0, durationMs: 0 };
    const codes = scheduling.retry?.exitCodes ?? [];
    const isNamed = codes === 'any' || [exitCode, 143].some((code) => code !== 0 && codes.includes(code));
    const isLimited = scheduling.maxRunTimeMs > 0 && durationMs > scheduling.maxRunTimeMs;
    if (last && isNamed && before.attempts < before.max_attempts && !(isLimited && last.ending === 'exit'))
      return;
    this.#report('tried again by its policy', row.uuid, row.error);
  }

  #completed(row: ContainerRow): void {
    if (this.#endedOf(row)) return;
    const what = `no process of attempt ${row.attempts} on ${row.instance_id} ended`;
    this.#report('only what ran is complete', row.uuid, what);
  }

  /** The process of the row's last attempt, when that ended by itself or was ended. */
  #endedOf({ uuid, instance_id: instanceId }: ContainerRow): RunLife | undefined {
    const sinceMs = this.#attemptSinceMs.get(uuid) ?? Infinity;
    return this.#world.ledger.containers
      .get(uuid)
      ?.runs.findLast(
        (run) =>
          run.instanceId === instanceId &&
          run.startedAtMs >= sinceMs &&
          (run.ending === 'exit' || run.ending === 'kill' || run.ending === 'crash'),
      );
  }

  #cancelled(row: ContainerRow): void {
    const { error, attempts, max_attempts: mostAttempts, lock_count: locks } = row;
    const mostLocks = this.#world.config.scheduler.maxDispatchAttempts;
    const isOwners =
      error.startsWith('cancelled by its owner') || error.startsWith('constraints cannot be met');
    const isWornOut = attempts >= mostAttempts || (mostLocks > 0 && locks >= mostLocks);
    if (!isOwners && !isWornOut) this.#report('cancelled for a cause', row.uuid, error);
  }
}
