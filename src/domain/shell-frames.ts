/**
 * What goes over the line between the command and the daemon while a person is on an instance. Each message is one byte
 * that names its kind, and the payload: bytes, or JSON in UTF-8.
 */
export const frameKinds = {
  /** From the command, first: what to run. JSON {@link ShellOrder}. */
  begin: 0,
  stdin: 1,
  /** No more input. */
  endOfInput: 2,
  /** JSON {@link WindowSize}. */
  resize: 3,
  /** From the daemon, first: the session is open. JSON {@link ShellOpened}. */
  opened: 16,
  stdout: 17,
  stderr: 18,
  /** The last one. JSON {@link ShellEnd}. */
  ended: 19,
  /** The last one, in place of `opened`. JSON {@link ShellRefusal}. */
  refused: 20,
} as const;
export type FrameKind = keyof typeof frameKinds;

export interface ShellOrder {
  /** None: the login shell. */
  command?: string | undefined;
  /** None: bytes go through as they are. */
  terminal?: { name: string; columns: number; rows: number } | undefined;
  reason: string;
}

export interface WindowSize {
  columns: number;
  rows: number;
}

export interface ShellOpened {
  address: string;
  user: string;
  /** Fingerprint of the verified host key. */
  hostKey: string;
}

/** Neither: the connection to the instance was lost. */
export interface ShellEnd {
  exitCode?: number | undefined;
  killedBy?: string | undefined;
}

export interface ShellRefusal {
  code: string;
  message: string;
}

const nameOf = new Map<number, FrameKind>(
  Object.entries(frameKinds).map(([name, byte]) => [byte, name as FrameKind]),
);

export function frame(kind: FrameKind, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1);
  bytes[0] = frameKinds[kind];
  bytes.set(payload, 1);
  return bytes;
}

export function jsonFrame(kind: FrameKind, value: unknown): Uint8Array {
  return frame(kind, new TextEncoder().encode(JSON.stringify(value)));
}

export interface ParsedFrame {
  kind: FrameKind;
  payload: Uint8Array;
  /** The payload as JSON. Throws `SyntaxError` when it is none. */
  json(): unknown;
}

/** `undefined` for what is no message of this line. */
export function parseFrame(bytes: Uint8Array): ParsedFrame | undefined {
  const kind = nameOf.get(bytes[0] ?? 255);
  const payload = bytes.subarray(1);
  return kind && { kind, payload, json: () => JSON.parse(new TextDecoder().decode(payload)) as unknown };
}
