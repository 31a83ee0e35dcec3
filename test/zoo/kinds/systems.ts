import type { Kind } from '../kind.js';

const works = { is: 'works' } as const;
const small = (options: string): string =>
  `umount /var/lib; mount -t tmpfs -o ${options} none /var/lib; mkdir -p /var/lib/dpkg`;
const cannotStart = /disk|space|full|write|read-only|inode/i;
const drained = { is: 'drained', withinMs: 60_000, because: cannotStart } as const;
const unfit = (because: RegExp): Kind['outcome'] => ({ is: 'refused', withinMs: 60_000, because });

/** Takes programs away. */
const without = (...names: string[]): string =>
  `own_programs; rm -f ${names.map((name) => `/usr/bin/${name}`).join(' ')}`;

/** A clock that is wrong, for programs that ask `date`; BEGIN is epoch seconds text in shell. */
const clock = (begin: string): string => `own_programs
rm /usr/bin/date
cat >/usr/bin/date <<'D'
#!/bin/bash
shift_s=$(${begin})
now=$(/run/h/programs/date +%s)
exec /run/h/programs/date -d "@$((now + shift_s))" "$@"
D
chmod 755 /usr/bin/date`;

/** Hosts whose disks, tools or clocks are not as usual. */
export const systemKinds: readonly Kind[] = [
  {
    name: 'a full disk',
    habits: {
      prepare: `${small('size=64k,nr_inodes=40')}; dd if=/dev/zero of=/var/lib/fill bs=1k count=200 2>/dev/null || true`,
    },
    outcome: drained,
    inSuite: true,
  },
  {
    name: 'no inodes left',
    habits: {
      prepare: `${small('size=8m,nr_inodes=30')}; n=0; while : 2>/dev/null >/var/lib/f$n; do n=$((n+1)); done || true`,
    },
    outcome: unfit(/cannot make the folders.*is the disk full/),
  },
  {
    name: 'a read-only /var/lib',
    habits: { prepare: `${small('size=8m')}; mount -o remount,ro /var/lib` },
    outcome: works,
  },
  {
    name: 'a read-only root file system',
    habits: {
      beforeLogin: 'mount -o remount,bind,ro / 2>/dev/null || mount --bind / / && mount -o remount,bind,ro /',
    },
    outcome: works,
  },
  { name: '/tmp noexec', habits: { tmpOptions: 'noexec' }, outcome: works },
  {
    name: 'noexec on all that can be written',
    habits: {
      tmpOptions: 'noexec',
      prepare: `for place in /var/lib /opt /var/tmp /var/cache /root /run/lock; do mount -t tmpfs -o noexec none $place; done
        mount --bind /usr/local /usr/local; mount -o remount,bind,ro /usr/local
        mount -t tmpfs -o noexec none /home`,
    },
    outcome: unfit(/noexec|may (not )?execute|deployDirectory/i),
  },
  {
    name: 'a full /tmp',
    habits: {
      tmpOptions: 'size=4k',
      beforeLogin: 'dd if=/dev/zero of=/tmp/fill bs=4k count=4 2>/dev/null || true',
    },
    outcome: works,
  },
  { name: 'no flock', habits: { prepare: without('flock') }, outcome: unfit(/flock/), inSuite: true },
  { name: 'no base64', habits: { prepare: without('base64') }, outcome: unfit(/base64/) },
  { name: 'no setsid', habits: { prepare: without('setsid') }, outcome: works },
  {
    name: 'no timeout, no truncate, no stat',
    habits: { prepare: without('timeout', 'truncate', 'stat') },
    outcome: works,
  },
  { name: 'no md5sum', habits: { prepare: without('md5sum') }, outcome: unfit(/md5sum/) },
  {
    name: 'busybox for everything but flock',
    habits: {
      prepare: `mkdir -p /run/h/programs /run/h/links; mount --bind /usr/bin /run/h/programs
        for applet in $(busybox --list); do ln -sf /run/h/programs/busybox /run/h/links/$applet; done
        for kept in bash flock busybox; do ln -sf /run/h/programs/$kept /run/h/links/$kept; done
        mount --bind /run/h/links /usr/bin`,
    },
    outcome: works,
    needs: ['busybox'],
    inSuite: true,
  },
  { name: 'a clock in 1970', habits: { prepare: clock('echo -1790000000') }, outcome: works },
  { name: 'a clock in 2106', habits: { prepare: clock('echo 2540000000') }, outcome: works },
  {
    name: 'a clock that is stepped back and forth',
    habits: { prepare: clock('echo $((RANDOM * 100000 - 1600000000))') },
    outcome: works,
  },
  {
    name: 'no /proc/uptime',
    habits: {
      prepare:
        'mount -t tmpfs none /mnt; : >/mnt/none; chmod 0 /mnt/none; mount --bind /mnt/none /proc/uptime',
    },
    outcome: works,
  },
  {
    name: 'no control groups',
    habits: { prepare: 'mount -t tmpfs -o ro none /sys/fs/cgroup' },
    outcome: works,
  },
];
