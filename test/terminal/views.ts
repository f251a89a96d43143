import type { SinkView, View } from '../../src/terminal/view.ts';

export function sink(name: string, more: Partial<SinkView> = {}): SinkView {
  return {
    name,
    state: 'running',
    pending: 0,
    oldest_s: 0,
    stored: 1_234_567,
    refused: 0,
    dropped: 0,
    lost: 0,
    ...more,
  };
}

export function view(more: Partial<View> = {}): View {
  return {
    elapsed_s: 125,
    read: { bytes: 400_000_000, lines: 1_300_000, events: 1_234_567 },
    rate: { bytes: 3_400_000, lines: 12_345, events: 12_001 },
    idle_s: 0,
    steps: new Map([
      ['success', 1_234_000],
      ['error', 567],
    ]),
    letters: new Map(),
    sinks: [sink('clickhouse'), sink('prometheus')],
    burying: sink('dead-letters'),
    spool: { bytes: 12 << 20, max_bytes: 4 * 2 ** 30, full: false },
    ...more,
  };
}

const REFUSED = 'http://search:9200 cannot be reached (ECONNREFUSED)';

/** Everything at once that a person on call may meet. */
export const TROUBLE = view({
  letters: new Map([
    ['schema', 9],
    ['refused by clickhouse', 12],
  ]),
  sinks: [
    sink('clickhouse', { pending: 7, oldest_s: 0.4 }),
    sink('elasticsearch', { state: 'retrying', reason: REFUSED, pending: 2_120_334, oldest_s: 125, stored: 13_233 }),
  ],
  burying: sink('dead-letters', { state: 'holding', reason: 'its dead letters cannot be written to the spool' }),
  spool: { bytes: 4 * 2 ** 30, max_bytes: 4 * 2 ** 30, full: true },
});
