// Ends what a script started, however the script ends: it waits for the end of its standard input, which the kernel
// closes with the script, and has ids of processes and paths of folders from it, one a line.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const graceMs = 3_000;
const folders = new Set();
/** With the time each was started: an id is used again. */
const processes = new Map();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE']) process.on(signal, () => {});
for await (const line of createInterface({ input: process.stdin })) {
  const [what, value] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
  if (what === 'folder') folders.add(value);
  if (what === 'keep') folders.delete(value);
  if (what === 'process') processes.set(Number(value), startedAt(value));
}
for (const pid of left()) signalTo(pid, 'SIGTERM');
// Those that belong to a folder have no business of their own to end.
endProcessesOfFolders();
for (const deadlineAt = Date.now() + graceMs; left().length > 0 && Date.now() < deadlineAt;) await pause(50);
for (const pid of left()) signalTo(pid, 'SIGKILL');
for (let pass = 0; pass < 50 && endProcessesOfFolders() > 0; pass++) await pause(20);
for (const folder of folders)
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });

function left() {
  return [...processes.keys()].filter(
    (pid) => processes.get(pid) !== '' && startedAt(pid) === processes.get(pid),
  );
}

/** `''` for one that is not there, or that ended and was not waited for. */
function startedAt(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return '';
  }
}

/** How many there were: they name the folder in their arguments or in their environment, like containers on loopback. */
function endProcessesOfFolders() {
  let found = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 0) || pid === process.pid || processes.has(pid) || !namesFolder(pid)) continue;
    signalTo(pid, 'SIGKILL');
    found++;
  }
  return found;
}

function namesFolder(pid) {
  try {
    if (startedAt(pid) === '') return false;
    const texts = [
      readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
      readFileSync(`/proc/${pid}/environ`, 'latin1'),
    ];
    return [...folders].some((folder) => texts.some((text) => text.includes(`${folder}/`)));
  } catch {
    return false;
  }
}

function signalTo(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
