import { Counter, Gauge, type Registry } from './prom-client.ts';
import type { Spool } from './spool/spool.ts';

/** What is counted between the source and the spool. Added up per batch, not per line. */
export interface ReadCounts {
  bytes: number;
  lines: number;
  blank: number;
  /** By dialect and kind, joined with a newline. */
  events: Map<string, number>;
  /** Events that the pipeline does not store, by kind. */
  filtered: Map<string, number>;
  /** By reason. */
  rejections: Map<string, number>;
  /** Carries of an earlier process that could not be read. */
  unread_carries: number;
}

/** What was read since the process began. */
export interface ReadTotals {
  readonly bytes: number;
  readonly lines: number;
  readonly events: number;
}

export function newCounts(): ReadCounts {
  return {
    bytes: 0,
    lines: 0,
    blank: 0,
    events: new Map(),
    filtered: new Map(),
    rejections: new Map(),
    unread_carries: 0,
  };
}

export function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The counters of reading, and the gauges of the spool. */
export class Counters {
  /** Of all sources; for who looks at them without a registry. */
  readonly read: { -readonly [K in keyof ReadTotals]: number } = { bytes: 0, lines: 0, events: 0 };
  readonly registry: Registry;
  readonly #bytes: Counter;
  readonly #lines: Counter;
  readonly #blank: Counter;
  readonly #events: Counter;
  readonly #filtered: Counter;
  readonly #rejections: Counter;
  readonly #unreadCarries: Counter;
  readonly #registry: Registry;
  /** Made with the first request: most runs have none. */
  #requests: Counter | undefined;
  #messages: Counter | undefined;

  constructor(registry: Registry, spool: () => ReturnType<Spool['usage']>) {
    this.registry = registry;
    const registers = [registry];
    this.#registry = registry;
    const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
      new Counter({ name, help, labelNames, registers });
    this.#bytes = counter('steptap_read_bytes_total', 'Bytes of the lines that were read', 'source');
    this.#lines = counter('steptap_read_lines_total', 'Physical lines that were read', 'source');
    this.#blank = counter('steptap_blank_lines_total', 'Lines that are nothing', 'source');
    this.#events = counter('steptap_events_total', 'Events that lines became', 'dialect', 'kind');
    this.#filtered = counter(
      'steptap_filtered_events_total',
      'Events that are not stored because the pipeline says so',
      'kind',
    );
    this.#rejections = counter(
      'steptap_rejections_total',
      'Lines that could not become events: dead letters',
      'reason',
    );
    this.#unreadCarries = counter(
      'steptap_unread_carries_total',
      'Positions whose unfinished events could not be read, and are lost: another version wrote them',
      'source',
    );
    new Gauge({
      name: 'steptap_spool_bytes',
      help: 'Bytes in the spool',
      registers,
      collect() {
        this.set(spool().bytes);
      },
    });
    new Gauge({
      name: 'steptap_spool_max_bytes',
      help: 'Bytes past which the spool holds its sources back',
      registers,
      collect() {
        this.set(spool().max_bytes);
      },
    });
    new Gauge({
      name: 'steptap_spool_full',
      help: '1 while sources wait for room in the spool',
      registers,
      collect() {
        this.set(spool().full ? 1 : 0);
      },
    });
  }

  /** A request of a source was answered. */
  requests(source: string, code: number): void {
    this.#requests ??= new Counter({
      name: 'steptap_http_requests_total',
      help: 'Requests that were answered, by status',
      labelNames: ['source', 'code'],
      registers: [this.#registry],
    });
    this.#requests.inc({ source, code });
  }

  /** A message of a source was taken, known from before, passed over, or its peer was hung up on. */
  messages(source: string, result: 'stored' | 'again' | 'ignored' | 'refused'): void {
    this.#messages ??= new Counter({
      name: 'steptap_forward_messages_total',
      help: 'Messages of the forward protocol, by what became of them; refused are connections that were closed for what they sent',
      labelNames: ['source', 'result'],
      registers: [this.#registry],
    });
    this.#messages.inc({ source, result });
  }

  add(source: string, counts: ReadCounts): void {
    this.read.bytes += counts.bytes;
    this.read.lines += counts.lines;
    this.#bytes.inc({ source }, counts.bytes);
    this.#lines.inc({ source }, counts.lines);
    this.#blank.inc({ source }, counts.blank);
    if (counts.unread_carries > 0) this.#unreadCarries.inc({ source }, counts.unread_carries);
    for (const [key, count] of counts.events) {
      const [dialect = '', kind = ''] = key.split('\n');
      this.#events.inc({ dialect, kind }, count);
      this.read.events += count;
    }
    for (const [kind, count] of counts.filtered) this.#filtered.inc({ kind }, count);
    for (const [reason, count] of counts.rejections) this.#rejections.inc({ reason }, count);
  }
}
