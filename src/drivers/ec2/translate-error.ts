import { DriverError } from '../driver.js';
import { meanings, type Meaning } from './error-codes.js';

/** What EC2 or the way to it said, without the request or anything else of the library's own error. */
export class Ec2Fault extends Error {
  /** EC2's own code, or that of the system call. */
  readonly code: string;
  /** Of HTTP; `undefined` when there was no reply. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;

  constructor(code: string, message: string, status: number | undefined, requestId: string | undefined) {
    super(message);
    this.name = 'Ec2Fault';
    this.code = code;
    this.status = status;
    this.requestId = requestId;
  }
}

/** Takes out of a text what must not be told. */
export type Redact = (text: string) => string;

/**
 * The error of one request as the pool understands it (EC-70..EC-75): `what` was asked, `redact` hides what the request
 * held. The back-off is the caller's. The cause is an {@link Ec2Fault}.
 */
export function translateEc2Error(error: unknown, what: string, redact: Redact): DriverError {
  if (error instanceof DriverError) return error;
  const fault = faultOf(error, redact);
  const { code, scope, remedy } = meaningOf(fault);
  const trace = fault.requestId === undefined ? '' : ` (request ${fault.requestId})`;
  return new DriverError(code, `${what}: ${fault.code}: ${fault.message}${trace}`, {
    cause: fault,
    ...(scope === undefined ? {} : { scope }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** True when another subnet may have what this one has not (EC-72). */
export function isSubnetSpecific(error: unknown): boolean {
  const fault = error instanceof DriverError ? error.cause : error;
  if (!(fault instanceof Ec2Fault)) return false;
  const { code, message } = fault;
  if (/Subnet/.test(code)) return true;
  if (/^(InsufficientInstanceCapacity|InsufficientVolumeCapacity|Unsupported)$/.test(plainCode(code)))
    return true;
  return (
    /InvalidParameter/.test(code) && / subnet |sufficient free Ipv[46] addresses|ipv4|Ipv6|ipv6/.test(message)
  );
}

/** True when EC2 itself gave this code. */
export function hasEc2Code(error: unknown, code: string): boolean {
  return (
    error instanceof DriverError && error.cause instanceof Ec2Fault && plainCode(error.cause.code) === code
  );
}

function meaningOf({ code, message, status }: Ec2Fault): Meaning {
  const plain = plainCode(code);
  if (plain === 'Unsupported' && message.includes('requested instance type')) {
    return { code: 'capacity', scope: 'type', remedy: 'give subnets in zones that have this type' };
  }
  if (/InvalidParameter/.test(plain) && /free (Ipv[46] )?addresses/i.test(message)) {
    return meanings.get('InsufficientFreeAddressesInSubnet')!;
  }
  const known = meanings.get(plain);
  if (known) return known;
  if (status === undefined || status >= 500) {
    return {
      code: 'unavailable',
      remedy: 'the call is made again; if this goes on, look at the AWS health page',
    };
  }
  if (status < 300) return { code: 'unavailable', remedy: 'the reply made no sense; the call is made again' };
  const remedy = /^(Invalid|Missing|Validation)/.test(plain)
    ? 'EC2 refuses the request as it is: correct the setting it names'
    : 'look the code up in the list of errors of EC2: Longshore knows no remedy for it';
  return { code: 'invalid', remedy };
}

function plainCode(code: string): string {
  return code.replace(/^(Client|Server)\./, '');
}

interface LibraryError {
  name?: string;
  message?: string;
  code?: unknown;
  Code?: unknown;
  cause?: unknown;
  errors?: readonly unknown[];
  $metadata?: { httpStatusCode?: number; requestId?: string };
}

function faultOf(error: unknown, redact: Redact): Ec2Fault {
  const { $metadata: metadata } = (error ?? {}) as LibraryError;
  const root = rootOf(error);
  const texts = [root.Code, root.code, root.name].filter((each) => typeof each === 'string');
  const code = texts.find((each) => each !== '') ?? 'Error';
  const message = redact(root.message || 'no reason was given').slice(0, longestMessage);
  const fault = new Ec2Fault(code, message, metadata?.httpStatusCode, metadata?.requestId);
  // The place of the failure in this program tells nothing: it is always that of the library.
  fault.stack = `Ec2Fault: ${code}: ${message}`;
  return fault;
}

/** EC2 sends a kilobyte of ciphertext along when a permission is missing. */
const longestMessage = 2_000;

/** A connection that failed on each address has its reasons inside and none of its own. */
function rootOf(error: unknown): LibraryError {
  if (typeof error !== 'object' || error === null) return { message: String(error) };
  const { message, cause, errors } = error as LibraryError;
  const [first] = errors ?? [];
  if (first !== undefined) return rootOf(first);
  return !message && cause !== undefined ? rootOf(cause) : error;
}
