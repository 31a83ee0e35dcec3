/** What must be said and asked for one create call (L-4 to L-9): the wish is on disk before the cloud is asked. */
export class LaunchReference {
  readonly #id: string;
  readonly #say: (record: string) => void;
  readonly #over: (outcome: string) => void;
  #step: 'record' | 'create' | 'settle' | 'over' = 'record';
  #outcome = '';

  constructor(id: string, say: (record: string) => void, over: (outcome: string) => void) {
    this.#id = id;
    this.#say = say;
    this.#over = over;
    this.#say(`> record ${id} small`);
  }

  /** Whether it still lives. */
  get isOver(): boolean {
    return this.#step === 'over';
  }

  answered(answer: string): void {
    if (this.#step === 'record') return this.#recorded(answer);
    if (this.#step === 'settle') return this.#end(this.#outcome);
    if (answer === 'poison') return this.#end('broke');
    this.#outcome =
      answer === 'ok'
        ? 'created i-1'
        : answer === 'no'
          ? 'refused quota: no more'
          : 'refused unavailable: the create call failed: Error: a bug of ours';
    this.#step = 'settle';
    const code = answer === 'no' ? 'quota' : 'unavailable';
    this.#say(`> settle ${this.#id} ${answer === 'ok' ? 'created i-1' : `refused: ${code}`}`);
  }

  stop(): void {
    if (this.#step !== 'over') this.#say(`x ${this.#step} ${this.#id}`);
    this.#step = 'over';
  }

  #recorded(answer: string): void {
    if (answer !== 'ok')
      return this.#end('refused unavailable: the intent could not be recorded: Error: a bug of ours');
    this.#step = 'create';
    this.#say(`> create ${this.#id} small`);
  }

  #end(outcome: string): void {
    this.#step = 'over';
    this.#over(outcome);
  }
}
