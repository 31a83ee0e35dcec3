import type { AttemptOrigin, ContainerState, SchedulingParameters } from '../../domain/container.js';
import { QueueError, type Placement, type ResultVerdict, type RevertedStart } from '../queue.js';
import { foreignBecause } from './attempt-identity.js';
import { chargedAttempts, encodePriority, type ContainerRow } from './container-rows.js';
import type { ContainerResult } from '../../domain/container-work.js';

/** What becomes of a row; `undefined`: it stays as it is. */
export type RowChange = Partial<Omit<ContainerRow, 'uuid' | 'revision'>> | undefined;

const hourMs = 3_600_000;
/** Before the next attempt. */
const longestPauseMs = 86_400_000;
/** A container that failed to start so often, for whatever reason, is not tried again. */
const mostUnchargedAttempts = 10;
/** The first starts that failed are followed by the next one at once, on another instance. */
const unchargedWithoutPause = 2;
const firstStartPauseMs = 5_000;
const longestStartPauseMs = 300_000;

/** CR-13, CR-14. */
export function lockRow(row: ContainerRow): RowChange {
  requireState(row, 'lock', ['Queued']);
  return { state: 'Locked', lock_count: row.lock_count + 1 };
}

/** CR-13, CR-15; `mostLocks` 0: no limit; `undefined`: this lock does not count. */
export function unlockRow(row: ContainerRow, mostLocks: number | undefined, now: number): RowChange {
  requireState(row, 'unlock', ['Locked']);
  if (mostLocks === undefined) {
    return { state: 'Queued', instance_id: '', lock_count: Math.max(0, row.lock_count - 1) };
  }
  if (mostLocks > 0 && row.lock_count >= mostLocks) {
    const text = `it failed to start: its turn came ${row.lock_count} times, and no instance could take it`;
    return cancelRow(row, text, now);
  }
  return { state: 'Queued', instance_id: '' };
}

export function cancelRow(row: ContainerRow, reason: string, now: number): RowChange {
  requireState(row, 'cancel', ['Queued', 'Locked', 'Running']);
  return { state: 'Cancelled', error: plainText(reason), finished_at: now, cost: costWith(row, now) };
}

/** Begins an attempt; being told again of the same one changes nothing (CR-11). */
export function startRow(row: ContainerRow, where: Placement, at: number): RowChange {
  if (row.state === 'Running' && row.instance_id === where.instanceId) return undefined;
  requireState(row, 'start', ['Locked']);
  return {
    state: 'Running',
    instance_id: where.instanceId,
    instance_type: where.instanceTypeName,
    price_per_hour: where.pricePerHour,
    started_at: at,
    attempts: row.attempts + 1,
    attempt_instance: where.instanceId,
  };
}

/**
 * Takes back an attempt that ran nothing of the container, or whose instance is at fault: it is not charged, and its
 * number is not used again. Pauses grow, and after ten of them the container is cancelled: the fault is then its own, or
 * everywhere.
 */
export function revertRow(row: ContainerRow, start: RevertedStart, now: number): RowChange {
  const { instanceId, attempt, reason, pauseMs = 0, hasRun = false } = start;
  if (row.state !== 'Running' || foreignBecause(row, { instanceId, attempt }) !== undefined) return undefined;
  const uncharged = row.uncharged_attempts + 1;
  const counts = { uncharged_attempts: uncharged, lock_count: Math.max(0, row.lock_count - 1) };
  const text = hasRun
    ? `its attempt on ${instanceId} is not charged: ${reason}`
    : `it could not be started on ${instanceId}: ${reason}`;
  // Where nothing ran, nothing is paid for.
  const cost = hasRun ? costWith(row, now) : row.cost;
  if (uncharged >= mostUnchargedAttempts) {
    return {
      ...cancelRow(row, `${text}; ${uncharged} starts failed`, now),
      ...counts,
      cost,
      started_at: null,
    };
  }
  const doublings = uncharged - unchargedWithoutPause - 1;
  const ownPauseMs = doublings < 0 ? 0 : Math.min(longestStartPauseMs, firstStartPauseMs * 2 ** doublings);
  return { ...queuedAgain(row, text, now, Math.max(pauseMs, ownPauseMs)), ...counts, cost };
}

export function loseRow(row: ContainerRow, reason: string, now: number, origin?: AttemptOrigin): RowChange {
  if (row.state !== 'Running') return undefined;
  if (origin && foreignBecause(row, origin) !== undefined) return undefined;
  const { max_attempts: most } = row;
  const attempts = chargedAttempts(row);
  if (attempts >= most) return cancelRow(row, `${reason}; attempt ${attempts} of ${most}`, now);
  return againRow(row, `attempt ${attempts} was lost: ${reason}`, now);
}

/** What a result does to a row, and what its sender is to know of that. */
export interface JudgedResult {
  change: RowChange;
  verdict: ResultVerdict;
}

/**
 * Only the result of the attempt that the row names counts. Of a container that was given up meanwhile, only one that
 * was cancelled and has no result yet still gets it. One whose retry policy names its exit code is queued again while
 * attempts remain.
 */
export function completeRow(
  row: ContainerRow,
  result: ContainerResult,
  origin: AttemptOrigin,
  now: number,
): JudgedResult {
  const attempt = row.attempts;
  const because = foreignBecause(row, origin);
  if (because !== undefined) return { change: undefined, verdict: { kind: 'refused', because } };
  if (row.state === 'Queued' || row.state === 'Locked') {
    const because = `attempt ${attempt} is over, and another one follows`;
    return { change: undefined, verdict: { kind: 'refused', because } };
  }
  const isOpen = row.state === 'Running';
  if (!isOpen && (row.state !== 'Cancelled' || row.exit_code !== null))
    return { change: undefined, verdict: { kind: 'known' } };
  const change = resultChange(row, result, now);
  const state = (change.state ?? row.state) as ContainerState;
  return { change, verdict: { kind: 'taken', state, attempt } };
}

function resultChange(row: ContainerRow, given: ContainerResult, now: number): NonNullable<RowChange> {
  const result = withinAttempt(row, given, now);
  const isOpen = row.state === 'Running';
  const attempts = chargedAttempts(row);
  if (isOpen && attempts < row.max_attempts && isRetried(row, result)) {
    const text = `attempt ${attempts} of ${row.max_attempts} exited with ${result.exitCode}`;
    return { ...againRow(row, text, now), cost: costWith(row, result.finishedAt, result.startedAt) };
  }
  return {
    exit_code: result.exitCode,
    started_at: result.startedAt || row.started_at,
    finished_at: result.finishedAt,
    cost: costWith(row, result.finishedAt, result.startedAt),
    ...(isOpen ? { state: 'Complete', error: plainText(result.note) } : {}),
  };
}

/** An attempt neither began before its start was recorded nor ended in the future, whatever its instance says. */
function withinAttempt(row: ContainerRow, result: ContainerResult, now: number): ContainerResult {
  const recordedAt = Number(row.started_at ?? 0);
  const finishedAt = Math.max(recordedAt, Math.min(result.finishedAt, now));
  if (result.startedAt === 0) return { ...result, finishedAt };
  return { ...result, finishedAt, startedAt: Math.min(finishedAt, Math.max(recordedAt, result.startedAt)) };
}

/** Queued for its next attempt, after the pause its policy asks for. */
function againRow(row: ContainerRow, text: string, now: number): NonNullable<RowChange> {
  const { retry } = JSON.parse(row.scheduling) as SchedulingParameters;
  const { delayMs = 0 } = retry ?? {};
  const pauseMs = Math.min(longestPauseMs, delayMs * 2 ** Math.max(0, chargedAttempts(row) - 1));
  return queuedAgain(row, text, now, pauseMs);
}

function queuedAgain(row: ContainerRow, text: string, now: number, pauseMs: number): NonNullable<RowChange> {
  const scheduling = JSON.parse(row.scheduling) as SchedulingParameters;
  return {
    state: 'Queued',
    instance_id: '',
    started_at: null,
    error: plainText(text),
    cost: costWith(row, now),
    ...(pauseMs > 0 ? { scheduling: JSON.stringify({ ...scheduling, notBeforeAt: now + pauseMs }) } : {}),
  };
}

/**
 * Dollars of all attempts, the one that ends now included; that of one that was cancelled was counted up to then, and is
 * counted anew. `startedAt` 0: when it was recorded as started. `null` when it was never started.
 */
function costWith(row: ContainerRow, finishedAt: number, startedAt = 0): number | null {
  const { started_at, finished_at, cost, price_per_hour: price } = row;
  const ofSpan = (from: number, to: number): number => (Math.max(0, to - from) / hourMs) * price;
  // What comes late is of an attempt that was counted when it was given up.
  if (started_at === null) return startedAt === 0 ? cost : (cost ?? 0);
  const wasCounted = row.state === 'Cancelled' && finished_at !== null;
  const counted = wasCounted ? ofSpan(Number(started_at), Number(finished_at)) : 0;
  return Math.max(0, (cost ?? 0) - counted) + ofSpan(startedAt || Number(started_at), finishedAt);
}

function isRetried({ scheduling }: ContainerRow, { exitCode, timedOut = false }: ContainerResult): boolean {
  const { retry } = JSON.parse(scheduling) as SchedulingParameters;
  if (!retry || exitCode === 0 || timedOut) return false;
  return retry.exitCodes === 'any' || retry.exitCodes.includes(exitCode);
}

export function prioritiseRow(row: ContainerRow, priority: bigint): RowChange {
  if (BigInt.asIntN(64, priority) !== priority) {
    throw new QueueError('invalid', `priority ${priority} is not a number of 64 bits`);
  }
  requireState(row, 'change the priority of', ['Queued', 'Locked', 'Running']);
  return { priority: encodePriority(priority) };
}

/** CR-11. */
function requireState({ uuid, state }: ContainerRow, verb: string, from: readonly ContainerState[]): void {
  if ((from as readonly string[]).includes(state)) return;
  throw new QueueError('conflict', `container ${uuid}: cannot ${verb} when ${state}`);
}

/** Text columns hold no zero byte, and no half of a character. */
function plainText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}
