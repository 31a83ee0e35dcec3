import { QueueError } from '../queue.js';
import { libsqlFault } from './libsql.js';

/** How thorough: `quick` passes over what indexes hold, and takes a fraction of the time. */
export type Thoroughness = 'quick' | 'full';

/** A check on a thread and a connection of its own. */
export interface IntegrityCheck {
  /** What is wrong, some of it; empty for a whole database. Rejects with the database's error when that is no damage. */
  readonly findings: Promise<readonly string[]>;
  /** Ends it early; `findings` says nothing of use then. */
  stop(): void;
}

/** The library's types leave it open. */
interface Statement {
  all(): Promise<Record<string, string>[]>;
}

const mostFindings = 10;

/** Begins to check the database file, which others may use meanwhile. */
export async function checkIntegrity(path: string, thoroughness: Thoroughness): Promise<IntegrityCheck> {
  const { default: Database } = await import('libsql/promise');
  const database = new Database(path, {});
  const pragma = thoroughness === 'quick' ? 'quick_check' : 'integrity_check';
  const check = async (): Promise<readonly string[]> => {
    try {
      const statement = (await database.prepare(`pragma ${pragma}(${mostFindings})`)) as Statement;
      const rows = await statement.all();
      return rows.map((row) => row[pragma] ?? '').filter((text) => text !== 'ok');
    } catch (error) {
      // A file that is damaged so badly that it cannot be checked.
      if (libsqlFault(error)?.kind === 'damaged') return [(error as Error).message];
      throw error;
    } finally {
      isOver = true;
      database.close();
    }
  };
  let isOver = false;
  const stop = (): void => {
    // The library ends the process when a closed database is interrupted.
    if (!isOver) database.interrupt();
  };
  return { findings: check(), stop };
}

/** Says of a damaged database what it is, and what to do. */
export function damagedStore(path: string, findings: readonly string[]): QueueError {
  const first = findings[0]?.replaceAll(/\s+/g, ' ') ?? '';
  const text = `the database ${path} is damaged (${first}): restore it from a backup with "longshore store restore FILE"`;
  return new QueueError('invalid', text);
}
