import { join } from 'node:path';
import type { Table } from '../batch.ts';
import type { Log } from '../log.ts';
import type { SpoolFs } from '../spool/files.ts';
import { between, NOTHING, rowsOf, type Mark } from '../spool/mark.ts';
import { Slots } from '../spool/slots.ts';
import type { LaneTotals } from './ledger.ts';

/** Where a lane stands: everything that it needs to go on as if it had never stopped. */
export interface LaneCursor {
  /** Everything up to this record is settled. */
  readonly settled: number;
  /** What was committed up to where its rows are counted: as a rule up to `settled`. What had been when the lane was made. */
  readonly at: Mark;
  readonly base: Mark;
  /** The first record that is this lane's, with all the tables that it takes. */
  readonly since: number;
  /** The tables that it takes; absent in a cursor of a version in which that was a matter of the sink alone. */
  readonly tables?: readonly Table[] | undefined;
  /** Rows that it had accepted before `base`, when it took others. */
  readonly carried?: number | undefined;
  /** Rows of what is settled, and of the parts of the block that are. */
  readonly totals: LaneTotals;
  /** Records that were given up for want of room, and whose rows are not counted yet: the record behind them will tell how many they are. */
  readonly dropping?: { readonly from: number; readonly to: number } | undefined;
  /** The block that is being sent. */
  readonly block?: BlockCursor | undefined;
}

/** A block in flight. Its bounds are written before the first send and never change. */
export interface BlockCursor {
  readonly from: number;
  readonly to: number;
  /** Number of the last record when it was taken: what it made a dead letter of is behind that. */
  readonly head: number;
  /** What was committed up to its end. */
  readonly end: Mark;
  /** What is not settled of it, in order; parts that are not named are. */
  readonly parts: readonly PartCursor[];
}

export interface PartCursor {
  readonly table: Table;
  /** Rows `[first, first + count)` of the block's rows of this table. */
  readonly first: number;
  readonly count: number;
  /** Rows of the table in the whole block. */
  readonly of: number;
  /** How many times what was missing of it got a token of its own, if it did. */
  readonly repairs?: number;
}

/** Keeps a lane's cursor. */
export interface CursorStore {
  /** True where nothing outlives the process. */
  readonly forgetful?: true;
  /** What the process before left; undefined for a new lane. */
  readonly found: LaneCursor | undefined;
  /**
   * Writes the cursor, with `sync` through to the disk. `kept` is called, now or later, with the number up to which records will not be asked for again,
   * whatever happens. Rejects with the file system's error.
   */
  save(cursor: LaneCursor, sync: boolean, kept: (seq: number) => void): Promise<void>;
  close(): Promise<void>;
}

/** A slot holds a block's splits down to single rows, in any of five tables: about 3 KB. */
export const SLOT_BYTES = 4096;

export const CURSOR_NAME = /^cursor\.([a-z0-9_-]+)$/;

export function cursorPath(directory: string, lane: string): string {
  return join(directory, `cursor.${lane}`);
}

/** The cursor of a lane, in two slots of 4 KiB. One that cannot be read is a lane that begins at the oldest record: what it had stored is found there. */
export async function openCursor(fs: SpoolFs, directory: string, lane: string, log: Log): Promise<CursorStore> {
  const path = cursorPath(directory, lane);
  const { slots, state, damaged } = await Slots.open(fs, path, SLOT_BYTES);
  if (damaged)
    log(
      'error',
      `${path} is damaged: ${lane} begins at the oldest record of the spool, and looks for what is stored already`,
    );
  return {
    found: state as LaneCursor | undefined,
    async save(cursor, sync, kept) {
      await slots.write(cursor, sync);
      // A power cut may take back what was not synced, and then the records are asked for again.
      if (sync) kept(cursor.settled);
    },
    close: () => slots.close(),
  };
}

/** Rows that were committed for a lane, as far as `mark`. */
export function acceptedBy({ base, carried = 0 }: LaneCursor, tables: ReadonlySet<Table>, mark: Mark): number {
  return carried + rowsOf(between(base, mark), tables);
}

/** The cursors of a directory, of lanes that run and of others, for whoever looks on. */
export async function readCursors(fs: SpoolFs, directory: string): Promise<Map<string, LaneCursor>> {
  const cursors = new Map<string, LaneCursor>();
  for (const name of await fs.list(directory)) {
    const lane = CURSOR_NAME.exec(name)?.[1];
    if (lane === undefined) continue;
    const state = await Slots.peek(fs, join(directory, name), SLOT_BYTES);
    if (state !== undefined) cursors.set(lane, state as LaneCursor);
  }
  return cursors;
}

/** For a spool in memory: nothing outlives the process, but a lane may be made anew in it. */
export function memoryStore(lane = '', cursors = new Map<string, LaneCursor>()): CursorStore {
  return {
    forgetful: true,
    found: cursors.get(lane),
    async save(cursor, _sync, kept) {
      cursors.set(lane, cursor);
      kept(cursor.settled);
    },
    close: async () => {},
  };
}

/** A spool that lost its end goes on behind what its lanes have seen. */
export function leastOf(cursors: Iterable<LaneCursor>): { seq: number; mark: Mark } {
  let seq = 0;
  let mark = NOTHING;
  for (const { settled, block, at } of cursors) {
    const end = block?.end ?? at;
    seq = Math.max(seq, settled, block?.to ?? 0);
    if (end.bytes > mark.bytes) mark = end;
  }
  return { seq, mark };
}
