import { batchBytes, type Batch } from '../../src/batch.ts';
import { NOTHING } from '../../src/spool/mark.ts';
import { Sources } from '../../src/spool/sources.ts';
import type { Committed, Spool, SpoolReader } from '../../src/spool/spool.ts';

/** A spool that only keeps what is appended, and survives what reads into it: each run goes on from its positions. */
export class KeptSpool implements Spool {
  readonly src = 'kept-1';
  readonly #sources = new Sources();
  readonly positions = this.#sources.positions;
  readonly mark = NOTHING;
  readonly batches: Batch[] = [];
  /** Appends that wait, while `held`. */
  readonly waiting: (() => void)[] = [];
  held = false;
  broken: Error | undefined;

  get last(): number {
    return this.batches.length;
  }

  async append(batch: Batch): Promise<Committed> {
    if (this.broken !== undefined) throw this.broken;
    if (this.held) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.batches.push(batch);
    this.#sources.take(JSON.parse(JSON.stringify({ ...batch, rows: [] })) as Batch, 0);
    return { seq: this.batches.length };
  }

  seen(source: string, request: string): boolean {
    return this.#sources.seen(source, request, 0);
  }

  state(source: string): ReadonlyMap<string, string> {
    return this.#sources.state(source);
  }

  commit(): void {
    this.held = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** The rows so far, table by table, less what differs from run to run. */
  rows(...tables: string[]): Record<string, unknown>[] {
    return this.batches
      .flatMap(({ rows }) => rows)
      .filter(({ table }) => tables.length === 0 || tables.includes(table))
      .flatMap(({ bytes }) => bytes.toString('utf8').trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  usage(): { bytes: number; max_bytes: number; full: boolean } {
    const bytes = this.batches.reduce((sum, batch) => sum + batchBytes(batch), 0);
    return { bytes, max_bytes: Number.POSITIVE_INFINITY, full: this.waiting.length > 0 };
  }

  reader(): SpoolReader {
    throw new Error('nobody reads here');
  }

  async buried(): Promise<ReadonlySet<string>> {
    return new Set();
  }

  end(): void {}
  async close(): Promise<void> {}
  async dispose(): Promise<void> {}
}
