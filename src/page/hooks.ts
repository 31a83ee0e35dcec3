import { LoggedOut } from './api.js';
import type { Fleet } from './live.js';
import { useEffect, useReducer, useState } from './vendor/preact.js';

/** Redraws the component after each change of the fleet. */
export function useFleet(fleet: Fleet): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => fleet.subscribe(() => redraw(undefined)), [fleet]);
}

/** Returns the current time, updated regularly. */
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
  /** Fetches again; the old value stays until the response arrives. */
  again(): void;
}

export const retryMs = 2_000;

/**
 * Fetches a value from the daemon; fetches again when one of `inputs` changes, and retries after an error. Never has two
 * requests in flight.
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

/** Returns an error as text; reports an ended session to the page. */
export function messageOf(error: unknown): string {
  if (error instanceof LoggedOut) {
    dispatchEvent(new Event('longshore:logged-out'));
    return 'The session ended.';
  }
  return error instanceof Error ? error.message : String(error);
}
