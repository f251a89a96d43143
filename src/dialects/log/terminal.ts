/* What a terminal would show of a line. */

/** The text without colours, cursor movements and hyperlinks (CSI, OSC and two-character escape sequences). */
export function stripAnsi(text: string): string {
  return text.includes('\u001b') ? text.replace(ESCAPES, '') : text;
}

const ESCAPES = /\u001b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\u0007\u001b]{0,2048}(?:\u0007|\u001b\\)|[@-Z\\^_78=>])/g;

/**
 * What a terminal would show of a line that was drawn over: the last segment between carriage returns that is not blank.
 * The carriage return of a CRLF is not content.
 */
export function collapseProgress(text: string): string {
  if (!text.includes('\r')) return text;
  let end = text.length;
  for (let i = end - 1; i >= 0; i--) {
    const code = text.charCodeAt(i);
    if (code === 0x0d) end = i;
    else if (code > 0x20) return text.slice(text.lastIndexOf('\r', i) + 1, end);
  }
  return '';
}
