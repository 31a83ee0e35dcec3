import type { Kind } from '../kind.js';

const works = { is: 'works' } as const;
const noise = 'Loading modules ... done';
/** Start-up files that print, for shells that read them for commands over SSH. */
const bashNoise = `echo 'echo "${noise}"; echo "warning: no display" >&2' | tee /root/.bashrc >/home/worker/.bashrc`;

/** Hosts whose shells say or read something else than `sh` does. */
export const shellKinds: readonly Kind[] = [
  { name: 'plain', habits: {}, outcome: works, inSuite: true },
  { name: 'plain, by a cloud', habits: {}, outcome: works, by: 'cloud' },
  { name: 'noisy bashrc', habits: { prepare: bashNoise }, outcome: works },
  {
    name: 'noisy bashrc, by a cloud',
    habits: { prepare: bashNoise },
    outcome: works,
    by: 'cloud',
    inSuite: true,
  },
  {
    name: 'bashrc without a newline at the end, with escapes and zero bytes',
    habits: { prepare: `printf '%s\\n' 'printf "\\033[31mready\\000\\033[0m"' >/root/.bashrc` },
    outcome: works,
  },
  {
    name: 'bashrc that prints text like results',
    habits: {
      prepare: `printf 'echo broken; echo zoooo-dz642-000000000000000; echo "{}"\\n' >/root/.bashrc`,
    },
    outcome: works,
    by: 'cloud',
  },
  {
    name: 'bashrc that prints 200 KB',
    habits: { prepare: `echo 'head -c 200000 /dev/zero | tr "\\0" x' >/root/.bashrc` },
    outcome: works,
  },
  {
    name: 'bashrc that asks and reads standard input',
    habits: { prepare: `echo 'read -t 1 -r answer; echo "said $answer"' >/root/.bashrc` },
    outcome: works,
    patience: 2,
  },
  {
    name: 'noisy bashrc of a user with sudo',
    habits: { user: 'worker', prepare: bashNoise },
    outcome: works,
  },
  { name: 'tcsh', habits: { rootShell: '/bin/tcsh' }, outcome: works, needs: ['tcsh'], inSuite: true },
  {
    name: 'tcsh, by a cloud',
    habits: { rootShell: '/bin/tcsh' },
    outcome: works,
    by: 'cloud',
    needs: ['tcsh'],
  },
  {
    name: 'tcsh with a noisy cshrc',
    habits: { rootShell: '/bin/tcsh', prepare: `echo 'echo "${noise}"' >/root/.cshrc` },
    outcome: works,
    needs: ['tcsh'],
  },
  { name: 'fish', habits: { rootShell: '/usr/bin/fish' }, outcome: works, needs: ['fish'], inSuite: true },
  {
    name: 'fish, by a cloud',
    habits: { rootShell: '/usr/bin/fish' },
    outcome: works,
    by: 'cloud',
    needs: ['fish'],
  },
  {
    name: 'fish of a user with sudo',
    habits: { user: 'worker', workerShell: '/usr/bin/fish' },
    outcome: works,
    needs: ['fish'],
  },
  {
    name: 'tcsh of a user with sudo',
    habits: { user: 'worker', workerShell: '/bin/tcsh' },
    outcome: works,
    needs: ['tcsh'],
  },
  { name: 'zsh', habits: { rootShell: '/bin/zsh' }, outcome: works, needs: ['zsh'] },
  {
    name: 'zsh that splits no words and globs strictly',
    habits: {
      rootShell: '/bin/zsh',
      prepare: `echo 'setopt nomatch noclobber; unsetopt shwordsplit' >/root/.zshenv`,
    },
    outcome: works,
    needs: ['zsh'],
  },
  { name: 'dash', habits: { rootShell: '/bin/dash' }, outcome: works, needs: ['dash'] },
  {
    name: 'a restricted shell',
    habits: { rootShell: '/bin/rbash' },
    outcome: { is: 'refused', withinMs: 60_000, because: /rbash.*restricted/ },
    needs: ['rbash'],
  },
  {
    name: 'bash with options that surprise',
    habits: {
      prepare: `echo 'set -o noclobber; set -f; alias cat=false; shopt -s expand_aliases' >/root/.bashrc`,
    },
    outcome: works,
  },
  {
    name: 'nologin as the shell',
    habits: { rootShell: '/usr/sbin/nologin' },
    outcome: { is: 'refused', withinMs: 60_000, because: /not available|nologin/i },
  },
  {
    name: 'a forced command that names another user',
    habits: {
      prepare: `sed -i 's/^/no-port-forwarding,command="echo Please login as the user ubuntu rather than the user root.; exit 142" /' /run/h/authorized`,
    },
    outcome: { is: 'refused', withinMs: 60_000, because: /Please login as the user/ },
    inSuite: true,
  },
  {
    name: 'a forced command that names another user, by a cloud',
    habits: {
      prepare: `sed -i 's/^/no-port-forwarding,command="echo Please login as the user ubuntu rather than the user root.; exit 142" /' /run/h/authorized`,
    },
    outcome: { is: 'refused', withinMs: 60_000, because: /Please login as the user/ },
    by: 'cloud',
  },
  {
    name: 'a forced command that answers with success',
    habits: { prepare: `sed -i 's/^/command="echo Welcome to the jump host" /' /run/h/authorized` },
    outcome: { is: 'refused', withinMs: 60_000, because: /Welcome to the jump host|forced command/i },
  },
];
