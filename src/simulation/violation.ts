/** A rule that was broken. */
export interface Violation {
  /** Ms since the start. */
  atMs: number;
  rule: string;
  /** The container or instance it is about. */
  subject: string;
  what: string;
}

export type Report = (rule: string, subject: string, what: string) => void;
