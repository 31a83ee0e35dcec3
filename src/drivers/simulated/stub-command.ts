/** What a command line of the pool asks for; `other` is the boot probe or nothing the pool would send. */
export type StubCommand =
  | { kind: 'list' | 'watch' | 'secret' | 'other' }
  | { kind: 'start' | 'collect' | 'discard' | 'tail'; uuid: string; attempt?: number }
  | { kind: 'kill'; uuid: string; signal: number }
  | { kind: 'checksum'; path: string }
  | { kind: 'install'; path: string; md5: string };

const program = String.raw`(?:'(?:[^']|'\\'')*'|\S+)`;
const listForm = new RegExp(`^${program} --list(?: --stdin-prices)?$`);
const watchForm = new RegExp(`^${program} --watch$`);
const startForm = new RegExp(`^${program} --detach --stdin-config (.*)$`, 's');
const killForm = new RegExp(`^${program} --kill (\\d+) (${program})$`);
const askForm = new RegExp(`^${program} --(collect|discard|tail) (${program})(?: (.*))?$`);
const checksumForm = new RegExp(`^md5sum (${program})$`);
const secretForm = /^cat \/var\/run\/arvados-instance-secret$/;
const installForm = /dstfile="((?:[^"\\]|\\.)*)".*!= ([0-9a-f]{32}) \]/s;

/** Reads a command as the pool writes it, with or without `sudo`. */
export function parseStubCommand(text: string): StubCommand {
  const command = text.replace(/^sudo /, '');
  if (listForm.test(command)) return { kind: 'list' };
  if (watchForm.test(command)) return { kind: 'watch' };
  if (secretForm.test(command)) return { kind: 'secret' };
  const start = startForm.exec(command);
  if (start) return startOf(wordsOf(start[1]!));
  const kill = killForm.exec(command);
  if (kill) return { kind: 'kill', signal: Number(kill[1]), uuid: unquote(kill[2]!) };
  const ask = askForm.exec(command);
  if (ask) {
    const kind = ask[1] as 'collect' | 'discard' | 'tail';
    return { kind, uuid: unquote(ask[2]!), ...numbered(kind === 'discard' ? ask[3] : undefined) };
  }
  const checksum = checksumForm.exec(command);
  if (checksum) return { kind: 'checksum', path: unquote(checksum[1]!) };
  const script = command.startsWith('sh -c ') ? unquote(command.slice(6)) : command;
  const install = installForm.exec(script);
  if (install) {
    return { kind: 'install', path: install[1]!.replaceAll(/\\(.)/gs, '$1'), md5: install[2]! };
  }
  return { kind: 'other' };
}

function startOf(words: readonly string[]): StubCommand {
  const named = words.find((word) => word.startsWith('--attempt='));
  return { kind: 'start', uuid: words.at(-1) ?? '', ...numbered(named?.slice('--attempt='.length)) };
}

function numbered(text: string | undefined): { attempt?: number } {
  return text === undefined || text === '' ? {} : { attempt: Number(text) };
}

function wordsOf(text: string): string[] {
  return (text.match(new RegExp(program, 'g')) ?? []).map(unquote);
}

function unquote(word: string): string {
  return word.startsWith("'") ? word.slice(1, -1).replaceAll(`'\\''`, "'") : word;
}

/** The secret that an init command leaves on the machine, `undefined` when it leaves none. */
export function secretOf(initCommand: string): string | undefined {
  const target = String.raw`\s*>\s*\/var\/run\/arvados-instance-secret\b`;
  const echo = new RegExp(`echo -n (["'])(.*?)\\1${target}`).exec(initCommand);
  const printf = new RegExp(`printf (?:(["'])?%s\\1? )?(["'])(.*?)\\2${target}`).exec(initCommand);
  return echo?.[2] ?? printf?.[3];
}
