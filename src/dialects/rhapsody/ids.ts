const HEX = /^(?:0x)?([0-9a-f]+)$/i;

/** Python's hex() writes `0x` before an id and no zeros: `0xb3371bb3874c3a` is 00b3371bb3874c3a. `''` for what is no id of so many digits. */
function id(written: unknown, digits: number): string {
  const hex = typeof written === 'string' && written.length <= digits + 2 ? HEX.exec(written)?.[1] : undefined;
  return hex === undefined || hex.length > digits ? '' : hex.toLowerCase().padStart(digits, '0');
}

export function traceId(written: unknown): string {
  return id(written, 32);
}

export function spanId(written: unknown): string {
  return id(written, 16);
}
