import type { Summary } from '../summary.ts';
import { columnsOf, paintFor, type Paint, type Span } from './paint.ts';
import { age, bytesText, number, wrap } from './text.ts';
import type { View } from './view.ts';

/** The table at the end of a run, as wide as the stream. */
export function finalTable(summary: Summary, view: View, stream: NodeJS.WriteStream): string {
  const columns = stream.columns || 80;
  const paint = paintFor(stream);
  return `${summary.render(columns, paint)}\n${ending(view, columns, paint)}`;
}

/** What a run has come to, below the table of its steps: what was read, and where it is now. */
export function ending({ read, elapsed_s, sinks }: View, columns: number, paint: Paint): string {
  const rate = elapsed_s >= 1 ? `, ${number(read.lines / elapsed_s)} lines/s` : '';
  const time = elapsed_s < 9.95 ? `${elapsed_s.toFixed(1)} s` : age(elapsed_s);
  const lines = wrap(`read ${number(read.lines)} lines, ${bytesText(read.bytes)} in ${time}${rate}`, columns);
  if (sinks.length === 0) return lines.join('\n');
  const rare = (['refused', 'dropped', 'lost'] as const).filter((name) => sinks.some((sink) => sink[name] > 0));
  const names = ['stored', 'pending', ...rare] as const;
  const rows: Span[][] = [
    ['SINK', 'STORED', 'WAITING', ...rare.map((name) => name.toUpperCase())].map((text) => ({ text, colour: 'dim' })),
  ];
  for (const sink of sinks) {
    const figure = (name: (typeof names)[number]): Span => {
      const count = sink[name];
      const good = name === 'stored' || count === 0;
      return { text: count === 0 && name !== 'stored' ? '-' : number(count), colour: good ? undefined : 'red' };
    };
    rows.push([{ text: sink.name }, ...names.map(figure)]);
  }
  return [...lines, '', ...columnsOf(rows, columns, paint)].join('\n');
}
