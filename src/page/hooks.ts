import { LoggedOut } from './api.js';
import type { Fleet } from './live.js';
import { useEffect, useReducer, useState } from './vendor/preact.js';

/** Draws the component again whenever the fleet changed. */
export function useFleet(fleet: Fleet): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => fleet.subscribe(() => redraw(undefined)), [fleet]);
}

/** The time, kept up to date. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export interface Loaded<T> {
  value?: T;
  error?: string;
  /** Asks once more; what is shown stays until the answer is there. */
  again(): void;
}

export const retryMs = 2_000;

/**
 * What the daemon answers; asked again whenever one of `inputs` changes, and after an error until there is an answer,
 * never twice at a time.
 */
export function useLoaded<T>(load: () => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: string }>({});
  const [turn, nextTurn] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    let isOver = false;
    let timer = 0;
    const attempt = (): void =>
      void load().then(
        (value) => !isOver && setState({ value }),
        (error: unknown) => {
          if (isOver) return;
          setState((before) => ({ ...before, error: messageOf(error) }));
          if (!(error instanceof LoggedOut)) timer = setTimeout(attempt, retryMs);
        },
      );
    attempt();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [...inputs, turn]);
  return { ...state, again: () => nextTurn(undefined) };
}

/** An error in words; an ended login is told to whoever draws the page. */
export function messageOf(error: unknown): string {
  if (error instanceof LoggedOut) {
    dispatchEvent(new Event('longshore:logged-out'));
    return 'The login ended.';
  }
  return error instanceof Error ? error.message : String(error);
}
