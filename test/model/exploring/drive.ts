import { plainBuild } from './effects.js';
import type { Build, Reference, Scenario, Subject, World } from './world.js';

/** Where a machine did not do what its reference says. */
export interface Difference {
  scenario: string;
  /** The last step is the one that went wrong. */
  path: readonly string[];
  missing: string[];
  unexpected: string[];
}

/** One path on a real actor and on its reference, what leaves them compared after each step. */
export class Drive {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #reference: Reference;
  readonly #path: string[] = [];
  #difference: Difference | undefined;

  constructor(subject: Subject, scenario: Scenario, build: Build = plainBuild) {
    this.#scenario = scenario;
    this.#world = subject.world(scenario.options, build);
    this.#reference = subject.reference(scenario.options);
    this.#compare();
  }

  /** All steps so far, those that were taken by themselves included. */
  get path(): readonly string[] {
    return this.#path;
  }

  key(): string {
    return this.#world.key();
  }

  /** What the scenario allows to happen next; nothing after a difference. */
  options(): string[] {
    if (this.#difference) return [];
    return this.#world.options().filter((step) => this.#scenario.steps.test(step));
  }

  /** Takes the steps, then those that the scenario takes by itself. */
  follow(steps: readonly string[]): void {
    for (const step of steps) this.#step(step);
    for (let step = this.#autoStep(); step && !this.#difference; step = this.#autoStep()) this.#step(step);
  }

  /** Ends the actor; returns the first difference, if there was one. */
  end(): Difference | undefined {
    this.#world.end();
    return this.#difference;
  }

  #autoStep(): string | undefined {
    const { auto = [] } = this.#scenario;
    if (auto.length === 0) return undefined;
    const options = new Set(this.#world.options());
    return auto.find((step) => options.has(step));
  }

  #step(step: string): void {
    if (this.#difference) return;
    this.#path.push(step);
    try {
      this.#world.apply(step);
      this.#reference.apply(step);
    } catch (error) {
      return this.#differ([], [`threw ${String(error)}`]);
    }
    this.#compare();
  }

  /** The order within one step is nobody's promise, so records are compared as a bag. */
  #compare(): void {
    const left = new Map<string, number>();
    for (const record of this.#world.take()) left.set(record, (left.get(record) ?? 0) + 1);
    for (const record of this.#reference.take()) left.set(record, (left.get(record) ?? 0) - 1);
    const missing = [...left].filter(([, count]) => count < 0).map(([record]) => record);
    const unexpected = [...left].filter(([, count]) => count > 0).map(([record]) => record);
    if (missing.length + unexpected.length > 0) this.#differ(missing, unexpected);
  }

  #differ(missing: string[], unexpected: string[]): void {
    this.#difference = { scenario: this.#scenario.name, path: [...this.#path], missing, unexpected };
  }
}

/** Takes exactly these steps; returns where they first went wrong. */
export function drivePath(
  subject: Subject,
  scenario: Scenario,
  path: readonly string[],
  build?: Build,
): Difference | undefined {
  const drive = new Drive(subject, { ...scenario, auto: [] }, build);
  drive.follow(path);
  return drive.end();
}

/** For people: the path and what differed. */
export function describeDifference({ scenario, path, missing, unexpected }: Difference): string {
  return [
    `${scenario}: ${path.map((step) => `"${step}"`).join(', ') || '(start)'}`,
    ...missing.map((record) => `  missing:    ${record}`),
    ...unexpected.map((record) => `  unexpected: ${record}`),
  ].join('\n');
}
