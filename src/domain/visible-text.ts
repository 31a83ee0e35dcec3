/** All control characters but tab and newline, and those that turn the direction of text around. */
// eslint-disable-next-line no-control-regex -- it is about them
const steering = /\r(?!\n)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * The text with all that would steer a terminal written out, an escape as `\u001b`: JSON stays JSON. Lines stay lines.
 */
export function visibleText(text: string): string {
  return text.replace(steering, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
