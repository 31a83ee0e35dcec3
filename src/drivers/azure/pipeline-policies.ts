import type { ComputeManagementClient } from '@azure/arm-compute';
import type { Clock } from '../../domain/clock.js';
import { AzureFaultError, faultOfReply } from './fault.js';
import { retryAfterAt } from './retry-after.js';

type Policy = Parameters<ComputeManagementClient['pipeline']['addPolicy']>[0];
type Send = Policy['sendRequest'];
type Reply = Awaited<ReturnType<Send>>;

const mostPolls = 5;
const longestPollWaitMs = 30_000;

/**
 * Turns each reply that is a refusal, and each state of an operation that says it failed, into {@link AzureFaultError}:
 * the libraries keep neither what is inside an error nor, for operations, its code.
 */
export const faultPolicy: Policy = {
  name: 'longshoreFaults',
  async sendRequest(request, next) {
    const reply = await next(request);
    const fault = faultOfReply(reply);
    // An operation's own address is all that tells a failed operation; a failed resource may be listed.
    if (fault && (reply.status >= 400 || isPoll(request.url))) throw new AzureFaultError(fault);
    return reply;
  },
};

/**
 * Asks again for the state of an operation when the asking failed: the operation goes on whether or not somebody could
 * ask. All other requests are made once (EC-5): who retries those is decided elsewhere.
 */
export function pollPolicy(clock: Clock, pauseMs: number): Policy {
  return {
    name: 'longshorePolls',
    async sendRequest(request, next) {
      if (!isPoll(request.url)) return next(request);
      for (let attempt = 1; ; attempt++) {
        const [reply, error] = await settled(next(request));
        const isLast = attempt === mostPolls || request.abortSignal?.aborted === true;
        const isPassing = reply === undefined || reply.status === 429 || reply.status >= 500;
        if (reply !== undefined && (isLast || !isPassing)) return reply;
        if (reply === undefined && isLast) throw error;
        const saidAt = retryAfterAt(reply?.headers.get('retry-after'), clock.now());
        const waitMs = saidAt === undefined ? pauseMs * attempt : saidAt - clock.now();
        await pause(clock, Math.min(Math.max(waitMs, 0), longestPollWaitMs), request.abortSignal);
      }
    },
  };
}

/** True for the address of an operation, as the headers of an accepted request give it. */
function isPoll(url: string): boolean {
  return /\/locations\/[^/]+\/operation(s|results)\//i.test(url);
}

async function settled(reply: Promise<Reply>): Promise<[Reply] | [undefined, unknown]> {
  try {
    return [await reply];
  } catch (error) {
    return [undefined, error];
  }
}

function pause(clock: Clock, waitMs: number, signal: Parameters<Send>[0]['abortSignal']): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimeout(done, waitMs);
    signal?.addEventListener('abort', done);
  });
}
