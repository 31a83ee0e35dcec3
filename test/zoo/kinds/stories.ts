import type { Kind } from '../kind.js';
import * as scenes from '../scenes.js';

const works = { is: 'works' } as const;

/** A container engine that is not there; CODE and words as no release of an engine has them. */
const deadEngine = `cat >/usr/local/bin/docker <<'D'
#!/bin/sh
echo "docker: the engine behind unix:///var/run/docker.sock gave no answer (no such file or directory)" >&2
exit 125
D
chmod 755 /usr/local/bin/docker`;

/** Plain hosts to which something happens, each a case of its own beside the phases. */
export const storyKinds: readonly Kind[] = [
  {
    name: 'plain, with readers of logs',
    habits: {},
    outcome: works,
    pool: ['timeoutProbe: 15s', 'commandTimeout: 10s'],
    scenes: [scenes.manyReaders],
  },
  {
    name: 'plain, rebooted in the middle',
    habits: {},
    outcome: works,
    scenes: [scenes.rebootWhileRunning, scenes.rebootWhileIdle],
  },
  {
    name: 'plain, whose connections drop',
    habits: {},
    outcome: works,
    scenes: [scenes.droppedConnections],
  },
  {
    name: 'plain, with jobs that leave children behind',
    habits: {},
    outcome: works,
    scenes: [scenes.detachedChildren, scenes.detachedChildrenOfKilled],
  },
  {
    name: 'no control groups, with jobs that leave children behind',
    habits: { prepare: 'mount -t tmpfs -o ro none /sys/fs/cgroup' },
    outcome: works,
    scenes: [scenes.detachedChildren, scenes.detachedChildrenOfKilled],
  },
  {
    name: 'plain, whose supervisors are killed',
    habits: {},
    outcome: works,
    scenes: [scenes.killedSupervisor],
  },
  {
    name: 'plain, killed by the operator',
    habits: {},
    outcome: works,
    scenes: [scenes.killedInstance],
  },
  {
    name: 'an engine that is not there',
    habits: { prepare: deadEngine },
    outcome: works,
    scenes: [scenes.deadEngine],
  },
  {
    name: 'a clock in 1970 that is set right',
    habits: {
      prepare: `own_programs
rm /usr/bin/date
cat >/usr/bin/date <<'D'
#!/bin/bash
now=$(/run/h/programs/date +%s)
[ -e /run/h/stepped ] || now=$((now - 1790000000))
exec /run/h/programs/date -d "@$now" "$@"
D
chmod 755 /usr/bin/date`,
    },
    outcome: works,
    scenes: [scenes.steppedClock],
    inSuite: true,
  },
];
