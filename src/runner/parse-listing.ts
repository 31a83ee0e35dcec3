import type { RunnerListing } from '../domain/runner-listing.js';
import { cleanNotice } from '../domain/clean-notice.js';
import { isContainerUuid } from '../domain/ids.js';

/**
 * Reads what `--list` printed (P-13): lines of other clusters and lines nobody knows are passed over. Never throws.
 */
export function parseRunnerListing(stdout: string, clusterId: string): RunnerListing {
  const live: string[] = [];
  const stale: string[] = [];
  const ended: string[] = [];
  const attempts: Record<string, number> = {};
  let broken = false;
  let brokenReason = '';
  let interruption = '';
  for (const line of stdout.split('\n')) {
    if (line === 'broken') broken = true;
    else if (line.startsWith('broken-because ')) brokenReason = cleanNotice(line.slice(15));
    else if (line.startsWith('interruption ')) interruption = cleanNotice(line.slice(13));
    else if (line.startsWith(`attempt ${clusterId}`)) Object.assign(attempts, parseAttempt(line));
    else if (line.startsWith(clusterId)) {
      const [uuid = '', word] = line.split(' ');
      if (!isContainerUuid(uuid)) continue;
      if (!line.includes(' ')) live.push(uuid);
      else if (word === 'stale') stale.push(uuid);
      else if (word === 'ended') ended.push(uuid);
    }
  }
  const named = Object.keys(attempts).length > 0 ? { attempts } : {};
  const said = broken && brokenReason !== '' ? { brokenReason } : {};
  return { live, stale, ended, ...named, broken, ...said, interruption };
}

const attemptLine = /^attempt (\S+) ([1-9]\d{0,8})$/;

function parseAttempt(line: string): Record<string, number> {
  const [, uuid = '', number] = attemptLine.exec(line) ?? [];
  return isContainerUuid(uuid) ? { [uuid]: Number(number) } : {};
}
