import { readFileSync } from 'node:fs';
import { errorCode, UsageError } from '../errors.ts';

const VARIABLE = 'STEPTAP_HASH_KEY';
const FILE = 'STEPTAP_HASH_KEY_FILE';
/** What is shorter can be found by trying. */
const LEAST_BYTES = 16;
const ADVICE = `set ${VARIABLE} to a secret of at least ${LEAST_BYTES} bytes, or ${FILE} to a file that holds it (openssl rand -hex 32 makes one)`;

/** The secret of `--hash`, from the environment or the file it names, without the blanks at its end. No message says anything of it. */
export function readHashKey(environment: Readonly<Record<string, string | undefined>>): Buffer {
  // Kubernetes sets a variable to nothing where a secret has no such key.
  const value = environment[VARIABLE] ?? '';
  const path = environment[FILE] ?? '';
  if (value === '' && path === '') throw new UsageError(`--hash needs a secret: ${ADVICE}`);
  // Whoever changes the one that is not used would wonder for long.
  if (value !== '' && path !== '') throw new UsageError(`${VARIABLE} and ${FILE} are both set: unset one of them`);
  const key = withoutEnd(value === '' ? read(path) : Buffer.from(value));
  if (key.length >= LEAST_BYTES) return key;
  throw new UsageError(`${value === '' ? `${FILE} ${path}` : VARIABLE}: too short a secret for --hash: ${ADVICE}`);
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    throw new UsageError(`${FILE} ${path}: cannot be read (${code}); name a file that holds the secret of --hash`, {
      cause: error,
    });
  }
}

/** Editors and `echo` end a file in a newline, and nobody sees it. */
function withoutEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && ' \t\r\n\v\f'.includes(String.fromCharCode(bytes[end - 1]!))) end--;
  return bytes.subarray(0, end);
}
