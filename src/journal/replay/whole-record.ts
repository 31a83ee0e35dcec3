import { withWholeCollections, type StepRecord } from './step-record.js';

/** Makes the records of one worker whole again, one after the other. */
export class WholeRecords {
  #last: StepRecord | undefined;
  #follows = 0;

  /** `undefined` for one whose predecessor is not there: the story begins in its middle, or entries were lost. */
  next(record: StepRecord): StepRecord | undefined {
    const { follows = 0 } = record;
    const last = this.#last;
    this.#last = undefined;
    if (follows > 0 && (!last || follows !== this.#follows + 1)) return undefined;
    this.#follows = follows;
    this.#last = withWholeFacts(follows > 0 ? continued(last!, record) : record);
    return this.#last;
  }
}

function continued(last: StepRecord, { follows: _, ...record }: StepRecord): StepRecord {
  const value = { ...states(last.before.value), ...states(last.after.value), ...states(record.before.value) };
  const known = { ...last.before.context, ...last.after.context };
  const context = { ...known, ...withWholeCollections(record.before.context, known) };
  return { ...record, before: { value, context } };
}

function withWholeFacts(record: StepRecord): StepRecord {
  const { before, after } = record;
  return { ...record, after: { ...after, context: withWholeCollections(after.context, before.context) } };
}

const states = (value: unknown): Record<string, unknown> => value as Record<string, unknown>;
