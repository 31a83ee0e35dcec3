import { singleQuote } from '../../domain/shell-quote.js';
import { ExecutorError, type ExecutorFactory } from '../../ssh/executor.js';
import { DriverError } from '../driver.js';

/** What is known of the host to log in to. */
export interface HostLogin {
  address: string;
  user: string;
  /** Base64 of each key it may show. */
  hostKeys: readonly string[];
}

const timeoutMs = 60_000;
/** The host was not reached, or it was another. */
const unreachable: ReadonlySet<string> = new Set([
  'no-address',
  'refused',
  'timeout',
  'auth',
  'host-key',
  'protocol',
]);

/**
 * Ends what runner programs run on the host: each holds the lock of its container, and its process id is in there. They
 * are asked first, and killed after a while. Fails when a lock is held still. Takes the mark of a broken host away.
 */
const endContainers = `
dir=\${LONGSHORE_LOCK_DIR:-/var/lock} try=0
while :; do
  left=
  for lock in "$dir"/crunch-run-?????-dz642-???????????????.lock; do
    if [ -s "$lock" ] && ! flock -s -n "$lock" true; then
      left=$lock
      pid=$(sed -n 's/.*"PID":\\([1-9][0-9]*\\).*/\\1/p' "$lock")
      signal=TERM
      [ "$try" -lt 80 ] || signal=KILL
      [ -z "$pid" ] || kill "-$signal" "$pid" 2>/dev/null
    fi
  done
  [ -n "$left" ] || break
  try=$((try + 1))
  if [ "$try" -gt 100 ]; then
    echo "$left is held still" >&2
    exit 1
  fi
  sleep 0.25
done
rm -f "$dir/crunch-run-broken"`;

/**
 * Makes the host free for the next one to use it. `command` in place of the usual one. Resolves to false when the host
 * cannot be logged in to; rejects with {@link DriverError} `unavailable` when something goes on there.
 */
export async function releaseHost(
  { address, user, hostKeys }: HostLogin,
  { executors, command = endContainers }: { executors: ExecutorFactory; command?: string | undefined },
  signal: AbortSignal,
): Promise<boolean> {
  const verify = async (key: Uint8Array): Promise<void> => {
    if (!hostKeys.includes(Buffer.from(key).toString('base64')))
      throw new Error('its key is not in the inventory');
  };
  const executor = executors({ address, remoteUser: user }, verify, {
    connected: () => {},
    verified: () => {},
    lost: () => {},
  });
  try {
    const script = `sh -c ${singleQuote(command)}`;
    await executor.run(user === 'root' ? script : `sudo ${script}`, { timeoutMs, signal });
    return true;
  } catch (error) {
    if (!(error instanceof ExecutorError)) throw error;
    if (unreachable.has(error.code)) return false;
    const said = error.stderr.trim().split('\n').at(-1) ?? '';
    throw new DriverError('unavailable', `host ${address} cannot be released: ${said || error.message}`, {
      cause: error,
      remedy: 'end by hand what runs there',
    });
  } finally {
    await executor.close();
  }
}
