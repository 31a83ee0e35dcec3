const censor = '[redacted]';

/** A part of a name, between separators, that marks the value as a secret. */
const secretPart =
  /^(?:pass|passwd|pwd|auth|authorization|sig|signature|credentials?|creds|key|apikey|accesskey|privatekey)$/i;
const secretWord = /password|passphrase|secret|token|credential/i;

const userInfo = /\b([a-z][a-z0-9+.-]*:\/\/[^@\s/?#:]*):[^@\s/?#]*@/gi;
const queryParameter = /([?&])([^=&\s#'"]+)=[^&\s#'"]*/g;
/** Matches shell assignments, also within quotes. */
const shellWord = String.raw`(?:'[^']*'|"[^"]*"|[^\s;'"|&]+)`;
const assignment = new RegExp(String.raw`(^|[\s;'"(])(-{0,2})([a-z][\w.-]*)=${shellWord}`, 'gi');
const option = new RegExp(String.raw`(^|[\s;'"(])--?([a-z][\w.-]*)(\s+)(?!-)${shellWord}`, 'gi');
const userOption = /((?:^|\s)(?:-u|--user)(?:\s+|=)[^\s:'"]+):[^\s'";]+/g;
const bareOption = /^--?([a-z][\w.-]*)$/i;

/** Removes secrets by position: passwords in addresses, and values with a secret name. */
export function withoutSecretsInText(text: string): string {
  return text
    .replace(userInfo, `$1:${censor}@`)
    .replace(queryParameter, (all, mark: string, name: string) =>
      isSecretName(name) ? `${mark}${name}=${censor}` : all,
    )
    .replace(userOption, `$1:${censor}`)
    .replace(assignment, (all, before: string, dashes: string, name: string) =>
      isSecretName(name) ? `${before}${dashes}${name}=${censor}` : all,
    )
    .replace(option, (all: string, before: string, name: string, gap: string) => {
      const flag = all.slice(before.length, all.indexOf(name, before.length) + name.length);
      return isSecretName(name) ? `${before}${flag}${gap}${censor}` : all;
    });
}

/** The same for the words of a command; the word after an option with a secret name is a secret. */
export function withoutSecretsInWords(words: readonly unknown[]): unknown[] {
  return words.map((word, index) => {
    if (typeof word !== 'string') return word;
    const before = words[index - 1];
    const name = typeof before === 'string' ? bareOption.exec(before)?.[1] : undefined;
    const isValue = name !== undefined && isSecretName(name) && !word.startsWith('-');
    return isValue ? censor : withoutSecretsInText(word);
  });
}

function isSecretName(name: string): boolean {
  return (
    secretWord.test(name) || name.split(/[-_.\s]|(?<=[a-z])(?=[A-Z])/).some((part) => secretPart.test(part))
  );
}
