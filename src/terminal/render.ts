import { lineOf, type Colour, type Paint, type Span } from './paint.ts';
import { age, binaryText, bytesText, clean, clip, number, padEnd, short, width, wrap } from './text.ts';
import type { ReadTotals } from '../counters.ts';
import type { SinkView, View } from './view.ts';

/** Below this nothing is laid out: it is cut off. */
const NARROWEST = 40;
/** Reading is said to have stopped when nothing came for so long, and rows to wait for long. */
const IDLE_S = 5;
const LONG_S = 60;

/** A line, and how well it can be done without where the screen is low: the highest go first. */
interface Line {
  readonly spans: readonly Span[];
  readonly rank: number;
}

/**
 * The block that is shown while a run goes on, of at most `rows` lines none of which is wider than `columns`. In the order of the questions of somebody who was
 * woken up: does it move, is a sink stuck and why, what went wrong.
 */
export function render(view: View, columns: number, rows: number, paint: Paint): string[] {
  const burying = view.burying.pending > 0 || troubled(view.burying) ? [view.burying] : [];
  const sinks = [...view.sinks, ...burying];
  const longest = Math.max(...['dead letters', ...sinks.map(({ name }) => name)].map((name) => width(clean(name))));
  const layout: Layout = { label: Math.min(longest, Math.max(columns, NARROWEST) - STANDING) + 1, columns };
  const lines: Line[] = [
    { spans: [], rank: 9 },
    ...reading(view, layout),
    ...(sinks.length === 0 ? [] : standings(sinks, layout)),
    ...spool(view, layout),
    ...counts('steps', view.steps, 3, layout, (status) => (status === 'error' ? 'red' : undefined)),
    ...counts('dead letters', view.letters, 3, layout, () => 'yellow'),
  ];
  while (lines.length > Math.max(rows, 0)) lines.splice(leastWanted(lines), 1);
  return lines.map(({ spans }) => lineOf(spans, columns, paint));
}

/** The last of those that are wanted least. */
function leastWanted(lines: readonly Line[]): number {
  const highest = Math.max(...lines.map(({ rank }) => rank));
  return lines.findLastIndex(({ rank }) => rank === highest);
}

interface Layout {
  /** Columns of the first column, in which everything has its name. */
  readonly label: number;
  readonly columns: number;
}

function reading({ rate, read, idle_s, elapsed_s }: View, layout: Layout): Line[] {
  // One below the other, and none jumps when it gets another digit; where there is no room for that, as they come.
  const roomy = layout.columns > layout.label + 55;
  const cells = ({ lines, bytes, events }: ReadTotals, suffix: string): string[] => {
    const texts = [
      `${short(lines)} lines${suffix}`,
      `${bytesText(bytes)}${suffix}`,
      `${short(events)} events${suffix}`,
    ];
    return roomy
      ? texts.map((text, n) => text.padStart([13, 6, 14][n]! + suffix.length).padEnd([15, 8, 0][n]!))
      : texts;
  };
  const rates =
    idle_s < IDLE_S ? cells(rate, '/s') : [{ text: `nothing for ${age(idle_s)}`, colour: 'yellow' as const }];
  const dim = [...cells(read, ''), `in ${age(elapsed_s)}`].map((text) => ({ text, colour: 'dim' as const }));
  return [...labelled('reading', rates, 0, layout), ...labelled('so far', dim, 7, layout)];
}

/** Columns of what is said of a sink behind its name where there is little room. */
const STANDING = 26;

function standings(sinks: readonly SinkView[], { label, columns }: Layout): Line[] {
  const roomy = columns > label + STANDING + 15;
  const line = (name: string, state: Span, waiting: string, oldest: Span, stored: string): Span[] => [
    { text: padEnd(clip(clean(name), label - 1), label), colour: name === '' ? undefined : state.colour },
    { ...state, text: state.text.padEnd(8) },
    { text: waiting.padStart(9) },
    { ...oldest, text: oldest.text.padStart(8) },
    ...(roomy ? [{ text: stored.padStart(15) }] : []),
  ];
  const heading = line('', { text: 'state' }, 'waiting', { text: 'oldest' }, 'stored').map(({ text }) => ({
    text,
    colour: 'dim' as const,
  }));
  const lines: Line[] = [{ spans: heading, rank: 6 }];
  for (const sink of sinks) {
    const { name, state, reason, pending, oldest_s, stored, dropped, lost } = sink;
    const colour = state === 'holding' ? 'red' : state === 'retrying' ? 'yellow' : undefined;
    const oldest: Span =
      pending === 0 ? { text: '-' } : { text: age(oldest_s), colour: oldest_s >= LONG_S ? 'yellow' : undefined };
    lines.push({
      spans: line(name, { text: state, colour }, short(pending), oldest, number(stored)),
      rank: troubled(sink) ? 1 : 4,
    });
    if (reason !== undefined) lines.push(...wrapped(reason, colour, { label, columns }));
    const gone = [
      ...(dropped > 0 ? [`${number(dropped)} rows given up, as --drop-oldest says`] : []),
      ...(lost > 0 ? [`${number(lost)} rows lost in damaged records`] : []),
    ];
    for (const text of gone) lines.push(...wrapped(text, 'red', { label, columns }));
  }
  return lines;
}

function troubled({ state }: SinkView): boolean {
  return state === 'retrying' || state === 'holding';
}

function spool({ spool: { bytes, max_bytes, full } }: View, layout: Layout): Line[] {
  const share = bytes / max_bytes;
  const fill = `${Math.floor(share * 100)} %, ${binaryText(bytes)} of ${binaryText(max_bytes)}`;
  if (full) {
    return labelled('spool', [{ text: 'FULL', colour: 'red' }, fill, 'reading waits'], 1, layout);
  }
  return labelled('spool', [{ text: fill, colour: share >= 0.8 ? 'yellow' : undefined }], 5, layout);
}

/** How many there are of each kind, most first. */
function counts(
  label: string,
  of: ReadonlyMap<string, number>,
  rank: number,
  layout: Layout,
  colour: (kind: string) => Colour | undefined,
): Line[] {
  if (of.size === 0) return [];
  const sorted = [...of].sort(([, a], [, b]) => b - a);
  const parts = sorted.map(([kind, count]) => ({ text: `${number(count)} ${kind}`, colour: colour(kind) }));
  return labelled(label, parts, rank, layout);
}

/** Parts behind a label, in as many lines as they need; a part is in one line. */
function labelled(label: string, parts: readonly (string | Span)[], rank: number, layout: Layout): Line[] {
  const lines: Line[] = [];
  let spans: Span[] = [{ text: padEnd(label, layout.label) }];
  let room = layout.columns - layout.label;
  for (const part of parts) {
    const span = typeof part === 'string' ? { text: part } : part;
    const needs = width(clean(span.text));
    if (spans.length > 1 && needs + GAP > room) {
      lines.push({ spans, rank: lines.length === 0 ? rank : rank + 1 });
      spans = [{ text: ' '.repeat(layout.label) }];
      room = layout.columns - layout.label;
    }
    if (spans.length > 1) spans.push({ text: ' '.repeat(GAP) });
    room -= needs + (spans.length > 1 ? GAP : 0);
    spans.push(span);
  }
  return [...lines, { spans, rank: lines.length === 0 ? rank : rank + 1 }];
}

const GAP = 3;
const MOST_LINES = 3;

/** What a sink said; of a long one the beginning. */
function wrapped(text: string, colour: Colour | undefined, { label, columns }: Layout): Line[] {
  return wrap(clean(text), columns - label, MOST_LINES).map((line, n) => ({
    spans: [{ text: ' '.repeat(label) }, { text: line, colour }],
    rank: n === 0 ? 2 : 5,
  }));
}
