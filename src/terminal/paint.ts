import { styleText } from 'node:util';
import { clean, clip, padEnd, width } from './text.ts';

export type Colour = 'red' | 'yellow' | 'dim' | 'bold';

/** Puts a text into a colour, or leaves it as it is where there are none. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;

/** Colours where the stream is a terminal that has them, and nobody has asked for none. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  if (!stream.isTTY || process.env['NO_COLOR']) return plain;
  return (colour, text) => styleText(colour, text, { stream });
}

/** A piece of a line. Its text may be anybody's. */
export interface Span {
  readonly text: string;
  readonly colour?: Colour | undefined;
}

/** One line of at most so many columns: what does not fit is cut off, so that no terminal ever wraps it. */
export function lineOf(spans: readonly Span[], columns: number, paint: Paint): string {
  let room = columns;
  let line = '';
  for (const { text, colour } of spans) {
    const cut = clip(clean(text), room);
    room -= width(cut);
    line += colour === undefined || cut.trim() === '' ? cut : paint(colour, cut);
    if (room <= 0) break;
  }
  return line;
}

/**
 * Lines of columns: the first to the left, and as narrow as the others leave it room for; the others are numbers, and stand to the right. The first row is the
 * heading.
 */
export function columnsOf(rows: readonly (readonly Span[])[], columns: number, paint: Paint): string[] {
  const widths = rows[0]!.map((_, n) => Math.max(...rows.map((row) => width(clean(row[n]!.text)))));
  const others = widths.slice(1).reduce((sum, each) => sum + each + 2, 0);
  const first = Math.max(4, Math.min(widths[0]!, columns - others));
  return rows.map((row) =>
    lineOf(
      row.map(({ text, colour }, n) =>
        n === 0
          ? { text: padEnd(clip(clean(text), first), first), colour }
          : { text: `  ${' '.repeat(widths[n]! - width(clean(text)))}${text}`, colour },
      ),
      columns,
      paint,
    ),
  );
}
