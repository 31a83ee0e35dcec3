import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/observability/log.js';

function logged(
  write: (log: ReturnType<typeof createLog>) => void,
  level = 'info',
): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLog(level, { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  it.each([
    { token: 'hush' },
    { managementToken: 'hush' },
    { config: { systemRootToken: 'hush', dispatchPrivateKey: 'hush' } },
    { req: { headers: { authorization: 'Bearer hush', Cookie: 'hush' } } },
    { attempts: [{ credentials: { SecretAccessKey: 'hush' } }] },
    { err: Object.assign(new Error('refused'), { config: { headers: { Authorization: 'hush' } } }) },
    { cause: Object.assign(new Error('refused'), { password: 'hush' }) },
  ])('never shows a secret: %j', (fields) => {
    const [line] = logged((log) => log.info(fields, 'something happened'));
    expect(JSON.stringify(line)).toContain('[redacted]');
    expect(JSON.stringify(line)).not.toContain('hush');
  });

  it('never shows a secret among the fields of a child logger', () => {
    const [line] = logged((log) => log.child({ token: 'hush', instanceId: 'i-1' }).info('hello'));
    expect(line).toMatchObject({ token: '[redacted]', instanceId: 'i-1' });
  });

  it('tells errors with type, message and code', () => {
    const [line] = logged((log) =>
      log.error({ err: Object.assign(new TypeError('bad'), { code: 'E1' }) }, 'x'),
    );
    expect(line!['err']).toMatchObject({ type: 'TypeError', message: 'bad', code: 'E1' });
  });

  it('leaves other fields alone and survives a circle', () => {
    const circle: Record<string, unknown> = { tokens: 3, key: 'type:small' };
    circle['self'] = circle;
    const [line] = logged((log) => log.info({ circle, at: new Date(0), none: undefined }, 'x'));
    expect(line).toMatchObject({ circle: { tokens: 3, key: 'type:small' }, at: '1970-01-01T00:00:00.000Z' });
  });

  it('is quiet below its level', () => {
    expect(logged((log) => log.info('x'), 'warn')).toEqual([]);
  });
});
