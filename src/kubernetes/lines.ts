import { ApiError } from './api-error.ts';

/** A line of a watch is an event with a whole object, and etcd keeps none larger than 1.5 MiB; a page has 500 of them. */
export const MOST_LINE = 8 << 20;
export const MOST_PAGE = 32 << 20;

/** The lines of an answer. What stands behind the last newline is half an event, and not given. Rejects with an ApiError at a line that is too long. */
export async function* linesOf(body: AsyncIterable<Buffer>, most: number): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      pieces.push(chunk.subarray(from, at));
      yield Buffer.concat(pieces).toString('utf8');
      from = at + 1;
      pieces = [];
      length = 0;
    }
    pieces.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > most) throw tooLarge(most);
  }
}

/** A whole answer. Rejects with an ApiError when it is too long. */
export async function wholeOf(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    pieces.push(chunk);
    length += chunk.length;
    if (length > most) throw tooLarge(most);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The mapping that a text is in JSON; undefined when it is none. */
export function mappingOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function tooLarge(most: number): ApiError {
  return new ApiError('TOO_LARGE', `gave more than ${most >> 20} MiB at once`);
}
