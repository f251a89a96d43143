import { Feed } from '../../src/live/feed.ts';
import type { EventTable } from '../../src/fields.ts';
import { compileExpression } from '../../src/expression/index.ts';
import { NOTHING } from '../../src/spool/mark.ts';
import { recordOf } from '../../src/spool/record.ts';
import type { SpoolRecord } from '../../src/spool/spool.ts';
import type { Clock } from '../../src/clock.ts';
import { rowsOf } from '../support/rows.ts';

export const TS = '2026-02-19T10:30:44.189512Z';
export const SRC = 'spool0-epoch0';

/** A feed, and the spool before it: what is stored here is committed, and shown. */
export class Storing {
  readonly feed: Feed;
  seq = 0;

  constructor(clock: Clock) {
    this.feed = new Feed(clock, () => ({ src: SRC, seq: this.seq }));
  }

  store(tables: Partial<Record<EventTable | 'rejections', readonly Record<string, unknown>[]>>): SpoolRecord {
    const rows = Object.entries(tables).map(([table, objects]) =>
      rowsOf(
        table as EventTable,
        objects.map((object) => ({ ts: TS, ...object })),
      ),
    );
    this.seq += 1;
    const header = { src: SRC, seq: this.seq, day: '2026-11-21', before: NOTHING, size: NOTHING };
    const record = recordOf(header, { source: 'test', position: {}, lines: 1, rows }, 0);
    this.feed.record(record);
    return record;
  }

  reader(filter?: string, tables: readonly EventTable[] = ['steps', 'logs', 'events']) {
    const wanted = { tables: new Set(tables), filter: filter === undefined ? undefined : compileExpression(filter) };
    const subscribed = this.feed.subscribe(wanted);
    if (subscribed === undefined) throw new Error('readers enough');
    return subscribed.subscription;
  }
}
