import type { Kind } from '../kind.js';

const works = { is: 'works' } as const;

/** Hosts that are odd about SSH: greetings, sessions, users. */
export const loginKinds: readonly Kind[] = [
  {
    name: 'a banner and a message of the day of 300 KB',
    habits: {
      sshd: ['Banner /run/h/banner', 'PrintMotd yes'],
      prepare: `head -c 20000 /dev/zero | tr '\\0' '#' >/run/h/banner
        head -c 300000 /dev/zero | tr '\\0' 'm' >/run/h/motd; mount --bind /run/h/motd /etc/motd`,
    },
    outcome: works,
  },
  {
    name: 'a locale that is not there',
    habits: { sshd: ['SetEnv LC_ALL=xx_YY.UTF-8 LANG=xx_YY.UTF-8'] },
    outcome: works,
  },
  {
    name: 'MaxSessions 1',
    habits: { sshd: ['MaxSessions 1'] },
    outcome: works,
    patience: 2,
    inSuite: true,
  },
  { name: 'MaxSessions 2', habits: { sshd: ['MaxSessions 2'] }, outcome: works, patience: 2 },
  { name: 'no terminals', habits: { sshd: ['PermitTTY no'] }, outcome: works },
  {
    name: 'a login that takes 3 s',
    habits: { prepare: `echo 'sleep 3' >/root/.bashrc` },
    outcome: works,
    patience: 2,
  },
  { name: 'a user with sudo', habits: { user: 'worker' }, outcome: works, inSuite: true },
  { name: 'a user with sudo, by a cloud', habits: { user: 'worker' }, outcome: works, by: 'cloud' },
  {
    name: 'sudo with a lecture',
    habits: { user: 'worker', sudoers: ['Defaults lecture=always'] },
    outcome: works,
  },
  {
    name: 'sudo with a terminal of its own and a log of input',
    habits: { user: 'worker', sudoers: ['Defaults use_pty'] },
    outcome: works,
  },
  {
    name: 'sudo that wants a terminal',
    habits: { user: 'worker', sudoers: ['Defaults requiretty'] },
    outcome: { is: 'refused', withinMs: 60_000, because: /must have a tty|requiretty/i },
  },
  {
    name: 'sudo that asks a password',
    habits: { user: 'worker', sudoers: ['worker ALL=(ALL) PASSWD: ALL'] },
    outcome: { is: 'refused', withinMs: 60_000, because: /password is required/i },
    inSuite: true,
  },
  {
    name: 'a user without sudo rights',
    habits: { user: 'worker', prepare: `sed -i '/^worker/d' /run/h/sudoers` },
    outcome: {
      is: 'refused',
      withinMs: 60_000,
      because: /password is required|not in the sudoers|not allowed/i,
    },
  },
  {
    name: 'no sudo program',
    habits: { user: 'worker', prepare: 'own_programs; rm /usr/bin/sudo' },
    outcome: { is: 'refused', withinMs: 60_000, because: /sudo.*(not found|No such file)/i },
  },
  {
    name: 'a home folder that is missing',
    habits: { user: 'worker', prepare: 'rm -rf /home/worker' },
    outcome: works,
  },
  {
    name: 'a home folder that cannot be written',
    habits: { prepare: 'mount -o remount,ro /root' },
    outcome: works,
  },
  { name: 'umask 077', habits: { beforeLogin: 'umask 077' }, outcome: works },
  { name: 'umask 000', habits: { beforeLogin: 'umask 000' }, outcome: works },
  { name: 'few open files', habits: { beforeLogin: 'ulimit -n 64' }, outcome: works },
  {
    name: 'no more processes for the user',
    habits: { user: 'worker', workerId: 5917, prepare: 'echo "ulimit -u 1" >/home/worker/.bashrc' },
    outcome: { is: 'refused', withinMs: 60_000, because: /fork|Resource temporarily unavailable/i },
  },
  {
    name: 'a key that may not log in',
    habits: { prepare: ': >/run/h/authorized' },
    outcome: { is: 'refused', withinMs: 60_000, because: /authenti|login key|\\(auth\\)/i },
  },
  {
    name: 'an account that is locked out by the server',
    habits: { sshd: ['DenyUsers root'] },
    outcome: { is: 'refused', withinMs: 60_000, because: /authenti|login key|\\(auth\\)/i },
  },
];
