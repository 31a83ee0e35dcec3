/** The session ended, or never existed. */
export class LoggedOut extends Error {}

/** The daemon rejected a request, for one or more reasons. */
export class Refused extends Error {
  readonly errors: readonly string[];
  constructor(errors: readonly string[]) {
    super(errors.join('\n'));
    this.errors = errors;
  }
}

/** Sends a request to the daemon. Throws {@link LoggedOut}, or an error with the daemon's message. */
export async function ask<T>(
  path: string,
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        'x-longshore-page': '1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error('The daemon does not answer.');
  }
  const text = await response.text();
  if (response.status === 401) throw new LoggedOut();
  if (!response.ok) throw new Refused(errorsOf(text) ?? [text || `the daemon answered ${response.status}`]);
  return (text === '' ? {} : JSON.parse(text)) as T;
}

function errorsOf(text: string): string[] | undefined {
  try {
    const { errors } = JSON.parse(text) as { errors?: string[] };
    return errors && errors.length > 0 ? errors : undefined;
  } catch {
    return undefined;
  }
}

/** Encodes any text as a part of the address. */
export const part = encodeURIComponent;
