/** What Azure said went wrong, as plain data; nothing of the request, which holds secrets. */
export interface AzureFault {
  /** HTTP status; `undefined` for an operation that failed after it was accepted. */
  status: number | undefined;
  /** Of the error and of those inside it, outermost first. */
  codes: readonly string[];
  /** The messages, in the same order. */
  messages: readonly string[];
  retryAfter: string | undefined;
  /** What Azure's support asks for. */
  requestId: string | undefined;
}

/** What is needed of a reply to know what is wrong with it. */
export interface ReplyLike {
  status: number;
  headers: { get(name: string): string | undefined };
  bodyAsText?: string | null;
}

interface ErrorBody {
  code?: unknown;
  message?: unknown;
  details?: unknown;
  innererror?: unknown;
}

/** A reply that is a refusal, or that tells of the failure of an operation. */
export class AzureFaultError extends Error {
  readonly fault: AzureFault;

  constructor(fault: AzureFault) {
    super(fault.messages[0] ?? `HTTP ${fault.status}`);
    this.name = 'AzureFaultError';
    this.fault = fault;
  }
}

/** The fault a reply tells of, if any: by its status, or as the state of an operation. */
export function faultOfReply(reply: ReplyLike): AzureFault | undefined {
  const isRefusal = reply.status >= 400;
  const body = bodyOf(reply.bodyAsText);
  if (!isRefusal && !/^(failed|cancell?ed)$/i.test(String(body?.status))) return undefined;
  return {
    status: isRefusal ? reply.status : undefined,
    retryAfter: reply.headers.get('retry-after'),
    requestId: reply.headers.get('x-ms-request-id'),
    ...chainOf(body?.error ?? (isRefusal ? body : { code: body?.status })),
  };
}

function bodyOf(text: string | null | undefined): { status?: unknown; error?: unknown } | undefined {
  try {
    return (JSON.parse(text ?? '') as { status?: unknown; error?: unknown } | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function chainOf(error: unknown): Pick<AzureFault, 'codes' | 'messages'> {
  const codes: string[] = [];
  const messages: string[] = [];
  let each = error as ErrorBody | undefined;
  for (let depth = 0; depth < 5 && typeof each === 'object' && each !== null; depth++) {
    codes.push(...textOf(each.code));
    messages.push(...textOf(each.message));
    const [detail] = Array.isArray(each.details) ? (each.details as ErrorBody[]) : [];
    each = detail ?? (each.innererror as ErrorBody | undefined);
  }
  return { codes, messages };
}

function textOf(value: unknown): string[] {
  return typeof value === 'string' && value !== '' ? [value] : [];
}
