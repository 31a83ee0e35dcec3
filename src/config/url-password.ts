const password = /\b([a-z][a-z0-9+.-]*:\/\/[^@\s/?#:]*):[^@\s/?#]*@/gi;
const parameter = /([?&](?:password|pass|token|secret|key|sig|signature)=)[^&#\s]*/gi;

/** A text without the passwords of the addresses in it. */
export function withoutUrlPassword(text: string): string {
  return text.includes('://')
    ? text.replace(password, '$1:[redacted]@').replace(parameter, '$1[redacted]')
    : text;
}
