import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { ApiDeps } from '../../src/api/deps.js';
import { buildApi } from '../../src/api/server.js';
import { systemClock } from '../../src/domain/clock.js';
import { ExecutorError } from '../../src/ssh/executor.js';

const uuid = 'zzzzz-dz642-000000000000001';

it.each(['0', '1'])(
  'says 503 with the reason when no session is free for a log (follow=%s)',
  async (follow) => {
    const text = 'no session in time: 4 of 4 are open';
    const deps = {
      managementToken: 'token',
      clock: systemClock,
      log: pino({ level: 'silent' }),
      version: '1',
      pageFolder: '',
      store: {
        find: () => Promise.resolve({ uuid, state: 'Running', attempts: 1, instanceId: 'i-1' }),
        output: () => Promise.resolve(undefined),
      },
      pool: { instances: () => [{ instanceId: 'i-1', containerUuids: [uuid] }] },
      // eslint-disable-next-line require-yield -- it fails before anything comes
      tail: async function* () {
        throw new ExecutorError('session-limit', text);
      },
    } as unknown as ApiDeps;
    const app = await buildApi(deps, { tlsCertFile: '', tlsKeyFile: '' } as never);
    try {
      const reply = await app.inject({
        url: `/v1/containers/${uuid}/logs?follow=${follow}`,
        headers: { authorization: 'Bearer token' },
      });
      expect([reply.statusCode, reply.headers['content-type']]).toEqual([
        503,
        expect.stringContaining('application/json'),
      ]);
      expect(reply.json()).toEqual({ errors: [text] });
    } finally {
      await app.close();
    }
  },
);
