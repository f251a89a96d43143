import { rowId } from '../../src/delivery/part.ts';
import { SinkError, STORED, type Found, type Outcome, type Part, type Sink } from '../../src/sinks/sink.ts';
import type { Table } from '../../src/batch.ts';
import type { Fuse } from '../support/mortal.ts';
import { hold, poison, retry, stepsOf } from './scripted.ts';

export interface Sent {
  readonly table: Table;
  readonly token: string;
  /** Ids of the rows that were sent: those that are not settled. */
  readonly ids: readonly string[];
}

/** What a server does with an insert that it can take. */
export interface Act {
  /** Which of the rows it stores, by their place among those that were sent; all when absent. */
  readonly stores?: (place: number) => boolean;
  /** False: it does not remember the token. */
  readonly knows?: boolean;
  /** What it answers; absent: that all is stored. */
  readonly answers?: Error;
}

/** Rows that no server takes. */
export function isPoison(step: string): boolean {
  return step.startsWith('p');
}

/** What stands at the other end, and lives longer than any process that talks to it. Remembers whatever it was sent. */
export abstract class Server {
  /** How often each row is stored, by its id. */
  readonly rows = new Map<string, number>();
  readonly sent: Sent[] = [];
  /** What it does with what it is sent, in turn; then it stores everything. */
  acts: Act[] = [];

  protected store(id: string): void {
    this.rows.set(id, (this.rows.get(id) ?? 0) + 1);
  }

  protected arrived(part: Part): { id: string; row: number; step: string }[] {
    const steps = stepsOf(part);
    const rows = steps.map((step, row) => ({ id: rowId(part, row), row, step }));
    const open = rows.filter(({ row }) => part.settled?.[row] !== 1);
    this.sent.push({ table: part.table, token: part.token, ids: open.map(({ id }) => id) });
    return open;
  }

  abstract insert(part: Part): Outcome;
  find?(part: Part): Found;

  /** The sink of one process. Where its fuse lets it, the process dies before and after every request. */
  sink(fuse: Fuse | undefined, tables: readonly Table[] = ['steps', 'logs'], name = 'scripted'): Sink {
    const mortal = <T>(work: () => Promise<T>): Promise<T> => (fuse === undefined ? work() : fuse.step(work));
    const find = this.find?.bind(this);
    return {
      name,
      tables: new Set(tables),
      async open() {},
      send: (part) => mortal(async () => this.insert(part)),
      ...(find === undefined ? {} : { find: (part: Part) => mortal(async () => find(part)) }),
      describe: () => name,
      async close() {},
    };
  }
}

/** As ClickHouse: an insert is taken whole or refused whole, once under one token, and it can be asked which rows it has. */
export class TokenServer extends Server {
  readonly tokens = new Set<string>();
  /** What `find` fails with, in turn. */
  readonly unanswered: (SinkError | undefined)[] = [];
  found = 0;
  lags = false;
  deduplicates = true;
  /** Rows that are stored and do not show. */
  hidden: (id: string) => boolean = () => false;

  insert(part: Part): Outcome {
    const rows = this.arrived(part);
    if (rows.some(({ step }) => isPoison(step))) throw poison();
    const token = `${part.table} ${part.token}`;
    const { stores = () => true, knows = true, answers } = this.acts.shift() ?? {};
    if (!this.deduplicates || !this.tokens.has(token)) {
      if (knows) this.tokens.add(token);
      for (const [place, { id }] of rows.entries()) if (stores(place)) this.store(id);
    }
    if (answers !== undefined) throw answers;
    return STORED;
  }

  override find(part: Part): Found {
    this.found += 1;
    const error = this.unanswered.shift();
    if (error !== undefined) throw error;
    const copies = Uint8Array.from({ length: part.count }, (_, row) => {
      const id = rowId(part, row);
      return this.hidden(id) ? 0 : (this.rows.get(id) ?? 0);
    });
    return { copies, lags: this.lags };
  }
}

/** As Elasticsearch: every row has a fate of its own, and is stored once under its id. It cannot be asked, and need not be. */
export class IdServer extends Server {
  /** More rows at once are too many. */
  most = Number.POSITIVE_INFINITY;
  /** False: an id is stored as often as it comes. */
  deduplicates = true;

  insert(part: Part): Outcome {
    const rows = this.arrived(part);
    if (rows.length > this.most) throw new SinkError('split', 'HTTP 413', 'too many');
    const { stores = () => true, answers } = this.acts.shift() ?? {};
    const rejected: { row: number; code: string; detail: string }[] = [];
    const again: number[] = [];
    for (const [place, { id, row, step }] of rows.entries()) {
      if (isPoison(step)) rejected.push({ row, code: 'mapper', detail: 'no' });
      else if (!stores(place)) again.push(row);
      else if (!this.deduplicates || !this.rows.has(id)) this.store(id);
    }
    if (answers !== undefined) throw answers;
    return { rejected, again };
  }
}

export const timeout = (): SinkError => retry('TIMEOUT', { in_doubt: true });
export { hold, retry };
