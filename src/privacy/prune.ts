import { parseLenient, stringEnd, stringText, valueEnd } from '../json.ts';

/** An object or an array that is open. */
interface Open {
  readonly object: boolean;
  /** Offset of what stands in it first. */
  readonly start: number;
  /** Members of it that stay. */
  kept: number;
}

/**
 * JSON text of an object or an array without the members whose names are dropped, in any depth; all else as it was written, since numbers may have more
 * digits than JavaScript keeps. Text that is no such JSON comes back as it is. Iterative: depth costs nothing.
 */
export function prune(text: string, drops: (name: string) => boolean): string {
  if (!/^\s*[[{]/.test(text)) return text;
  const value = parseLenient(text);
  if (typeof value !== 'object') return text;
  const stack: Open[] = [];
  let told = '';
  /** What was told ends in the text before `from`, and what may be told next at `end`. */
  let from = 0;
  let end = 0;
  let named = false;
  for (let at = 0; at < text.length; at++) {
    const open = stack.at(-1);
    switch (text[at]) {
      case '{':
      case '[':
        named = text[at] === '{';
        end = at + 1;
        stack.push({ object: named, start: end, kept: 0 });
        break;
      case '}':
      case ']':
        stack.pop();
        named = false;
        end = at + 1;
        break;
      case ',':
        named = open?.object === true;
        break;
      case '"': {
        const stop = stringEnd(text, at);
        if (named && drops(stringText(text.slice(at, stop)))) {
          told += text.slice(from, end);
          from = valueEnd(text, valueStart(text, stop));
          end = from;
          at = from - 1;
        } else {
          // The first that stays needs no comma before it.
          if (named && open!.kept === 0 && from > open!.start) from = at;
          if (named) open!.kept++;
          end = stop;
          at = stop - 1;
        }
        named = false;
        break;
      }
      case ' ':
      case '\t':
      case '\r':
      case '\n':
      case ':':
        break;
      default:
        end = at + 1;
    }
  }
  return told + text.slice(from);
}

/** Offset of the value behind a name that ends at `nameEnd`. */
function valueStart(text: string, nameEnd: number): number {
  let at = text.indexOf(':', nameEnd) + 1;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}
