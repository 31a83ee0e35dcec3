import type { RunnerListing } from '../../../src/domain/runner-listing.js';
import type { RemoteFailure } from '../../../src/machines/worker-effects.js';
import { containerIds, failureText } from './settings.js';

export const nameOf = (uuid: string | undefined): string =>
  Object.keys(containerIds).find((name) => containerIds[name] === uuid) ?? uuid ?? '';

export const failure: RemoteFailure = {
  ok: false,
  code: 'exit',
  message: failureText,
  stdout: '',
  stderr: '',
  expected: true,
};

/** The steps that answer an effect under way, by its first word; `run` takes what the listing says. */
export const answers = ['ok', 'fail', 'fault'];
/** Of a start: the instance's fault, and nothing ran. */
export const refusal = { fault: 'instance', ranNothing: true, reason: 'the disk is full' } as const;
/** `poison` breaks the container's actor: a bug of ours that must not spread. */
export const answersOf: Readonly<Record<string, readonly string[]>> = {
  start: [...answers, 'refused'],
  term: [...answers, 'poison'],
  collect: [...answers, 'poison'],
};
export const listings = [
  'nothing',
  'c1',
  'c2',
  'c1,c2',
  'c1:ended',
  'c1,c2:ended',
  'broken',
  'broken,c1',
  'c1:stale',
  'c2,c1:stale',
  'interruption',
  'interruption,c1',
  'fail',
  'gone',
  'fault',
];
export const external = [
  'listed',
  'listed old-tags',
  'listed address',
  'missing',
  'assign c1',
  'assign c2',
  'kill c1',
  'kill c2',
  'operator run',
  'operator hold',
  'operator drain',
  'operator kill',
  'scheduler shutdown',
  'scheduler keep',
  'due',
  'established',
  'verified',
];
export const watchWords = [
  'attached',
  'started c1',
  'started c2',
  'ended c1',
  'ended c2',
  'broken',
  'interruption',
  'closed',
  'unknown',
  'fault',
];

/** `c1,c2:ended,broken` as a listing. */
export function listingOf(words: string): RunnerListing {
  const listing = {
    live: [] as string[],
    stale: [] as string[],
    ended: [] as string[],
    broken: false,
    interruption: '',
  };
  for (const word of words.split(',')) {
    const [name = '', fate] = word.split(':');
    const uuid = containerIds[name];
    if (word === 'broken') listing.broken = true;
    else if (word === 'interruption') listing.interruption = 'the spot market wants it back';
    else if (uuid && fate === 'ended') listing.ended.push(uuid);
    else if (uuid && fate === 'stale') listing.stale.push(uuid);
    else if (uuid) listing.live.push(uuid);
  }
  return listing;
}
