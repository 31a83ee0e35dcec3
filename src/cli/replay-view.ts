import { styleText } from 'node:util';
import type { Replay, ReplayedStep } from '../journal/replay/replay.js';
import { printable } from './output.js';

/** Colours on a terminal, none elsewhere. */
export type Paint = (style: 'bold' | 'dim' | 'green' | 'red' | 'cyan', text: string) => string;

export const paint: Paint = (style, text) => styleText(style, text);
export const plainly: Paint = (_style, text) => text;

/** Returns one step as lines: event, transition, guards, actions, and whether the result equals the record. */
export function stepLines({ steps }: Replay, index: number, color: Paint): string[] {
  const step = steps[index]!;
  const beforeAt = steps[index - 1]?.at ?? step.at;
  const verdict = step.matches ? color('green', 'same result') : color('red', 'different result');
  const { type, ...fields } = step.event;
  const lines = [
    `${color('bold', `step ${index + 1} of ${steps.length}`)}  ${new Date(step.at).toISOString()}  +${secondsText(step.at - beforeAt)}  ${verdict}`,
    `  event    ${color('cyan', printable(type))}${Object.keys(fields).length === 0 ? '' : ` ${color('dim', shortJson(fields))}`}`,
  ];
  if (step.skipped > 0) lines.push(`  before   ${step.skipped} uneventful steps`);
  for (const { region, from, to } of step.moves) {
    const move = from === to ? color('dim', from) : `${from} → ${color('bold', to)}`;
    lines.push(`  ${region.padEnd(13)}${move}`);
  }
  const guards = Object.entries(step.guards).map(([name, held]) => `${name} ${held ? 'yes' : 'no'}`);
  if (guards.length > 0) lines.push(`  guards   ${guards.join(', ')}`);
  if (step.actions.length > 0) lines.push(`  actions  ${step.actions.join(', ')}`);
  for (const { what, recorded, replayed } of step.differences) {
    const text = `${what}: recorded ${shortJson(recorded)}, now ${shortJson(replayed)}`;
    lines.push(`  ${color('red', 'differs')}  ${text}`);
  }
  return lines;
}

/** Returns one line per step. */
export function overviewLine(step: ReplayedStep, number: number): string {
  const moves = step.moves
    .filter(({ from, to }) => from !== to)
    .map(({ region, from, to }) => `${region} ${from} → ${to}`);
  const sign = step.matches ? ' ' : '!';
  const time = new Date(step.at).toISOString();
  return `${sign} ${String(number).padStart(4)}  ${time}  ${printable(step.event.type)}${moves.length === 0 ? '' : `: ${moves.join(', ')}`}`;
}

export function verdictOf({ instance, steps }: Replay): string {
  const wrong = steps.filter(({ matches }) => !matches).length;
  const outcome = wrong === 0 ? 'all with the recorded result' : `${wrong} with a different result`;
  return `${instance}: ${steps.length} steps replayed, ${outcome}`;
}

function shortJson(value: unknown): string {
  const text = printable(JSON.stringify(value) ?? 'nothing');
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(3)}s`;
}
