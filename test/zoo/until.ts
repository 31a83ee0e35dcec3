const pauseMs = 100;

/** Asks until the answer is there, and returns it. Rejects when it is not there in time, or when asking fails. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => T | false | undefined | Promise<T | false | undefined>,
): Promise<T> {
  const deadlineAt = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (Date.now() > deadlineAt) throw new Error(`waited ${timeoutMs / 1_000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
