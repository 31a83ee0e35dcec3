import { randomBytes } from 'node:crypto';

/** A command as it goes over the wire, and the marker that its output is framed with. */
export interface FramedCommand {
  wire: string;
  marker: string;
}

/**
 * Which shell runs the command: `posix` is /bin/sh; `login` is the login shell where that understands what is written
 * for /bin/sh (bash, ksh, zsh), else /bin/sh.
 */
export type CommandShell = 'posix' | 'login';

/** The older csh reads no word of more than 1,024 bytes. */
const longestWord = 512;
const decode = 'c=$(printf %s "$@" | base64 -d)';
const inPosixShell = 'eval "$c"';
const inLoginShell = `case \${SHELL##*/} in bash|zsh|ksh*) exec "$SHELL" -c "$c";; esac; ${inPosixShell}`;

/**
 * Ends what is followed when the channel is closed, which a program that prints nothing would not see: its input ends
 * then. The shell of the session leads its process group, unless a forced command started it.
 */
const inBackground = [
  'exec 3<&0; ( exec 3<&-; set --; eval "$c" ) </dev/null & p=$!',
  '( cat <&3; kill -s TERM -- -$$ || kill $p ) >/dev/null 2>&1 & w=$!',
  'exec 3<&-; wait $p; s=$?; kill $w 2>/dev/null',
].join('; ');

/**
 * Read by every login shell alike: no quote, newline, exclamation mark or backslash. The marker comes in two halves, so
 * that a host which repeats the command line does not print it. Begin and end go to both streams, stdout last at the
 * beginning, and last at the end.
 */
function frameScript(shell: CommandShell | 'stream'): string {
  const foreground = `( set --; ${shell === 'login' ? inLoginShell : inPosixShell} ); s=$?`;
  return [
    'm=@$1-$2; shift 2; b=; { read b </proc/sys/kernel/random/boot_id; } 2>/dev/null',
    'echo "$m begin" >&2; echo "$m begin $b"',
    `if ${decode}; then ${shell === 'stream' ? inBackground : foreground}; else s=$?; fi`,
    'echo "$m end $s" >&2; echo "$m end $s"',
  ].join('; ');
}

/**
 * Wraps a command for /bin/sh so that it runs whatever the login shell is. `stream`: it has no input, and ends when
 * its input does.
 */
export function frameCommand(command: string, shell: CommandShell | 'stream' = 'posix'): FramedCommand {
  const [first, second] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  const words =
    Buffer.from(command)
      .toString('base64')
      .match(new RegExp(`.{1,${longestWord}}`, 'g')) ?? [];
  const quoted = words.map((word) => `'${word}'`).join(' ');
  return {
    wire: `exec /bin/sh -c '${frameScript(shell)}' sh ${first} ${second} ${quoted}`,
    marker: `@${first}-${second}`,
  };
}

const framedForm = /^exec \/bin\/sh -c '[^']*' sh ([0-9a-f]{16}) ([0-9a-f]{16}) ([A-Za-z0-9+/=' ]*)$/;

/** What {@link frameCommand} wrapped, for servers that have no shell; `undefined` for any other command. */
export function unframeCommand(wire: string): { command: string; marker: string } | undefined {
  const [, first, second, words] = framedForm.exec(wire) ?? [];
  if (words === undefined) return undefined;
  const command = Buffer.from(words.replaceAll(/[' ]/g, ''), 'base64').toString('utf8');
  return { command, marker: `@${first}-${second}` };
}

/** The lines that frame a stream. A shell on Linux tells the id of the boot after the word `begin`. */
export const beginLine = (marker: string): string => `${marker} begin \n`;
export const endLine = (marker: string, status: number): string => `${marker} end ${status}\n`;
