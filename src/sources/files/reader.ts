import { UnderWay } from '../../appends.ts';
import { OVER, type Clock } from '../../clock.ts';
import type { Position } from '../../batch.ts';
import { newCounts } from '../../counters.ts';
import { errorCode } from '../../errors.ts';
import type { Intake } from '../../intake.ts';
import type { Log } from '../../log.ts';
import { NOWHERE } from '../../origin.ts';
import type { Tools } from '../../tools.ts';
import { Spare } from '../file/spare.ts';
import type { Discovery } from './discovery.ts';
import { Hints } from './hints.ts';
import { Logs } from './logs.ts';
import type { Known, Metadata } from './metadata.ts';
import { tailMetrics, type TailMetrics } from './metrics.ts';
import type { Selection } from './selection.ts';
import type { Tailed } from './tailed.ts';

/** How often everything is looked at, whatever hints there were. */
const SCAN_MS = 1_000;
/** How often unfinished events are looked at of logs that say nothing more. */
const LOOK_MS = 500;
/** A deleted log may still be written to for a moment. */
const GONE_MS = 5_000;

export interface ReaderOptions {
  readonly name: string;
  readonly discovery: Discovery;
  readonly selection: Selection;
  readonly metadata: Metadata;
  readonly start: 'beginning' | 'end';
  readonly max_deleted_bytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A read that is under way. */
interface Turn {
  readonly log: Tailed;
  readonly bytes: Promise<Buffer | undefined>;
}

/**
 * Reads hundreds of logs in turn: those that have something stand in a row, and each gives up to READ_BYTES and goes to the end of it. One is read ahead while
 * another is decoded. What all of them have on its way into the spool has one bound.
 */
export class FilesReader {
  readonly #options: ReaderOptions;
  readonly #intake: Intake;
  readonly #stop: AbortSignal;
  readonly #logs: Logs;
  readonly #hints: Hints;
  readonly #metrics: TailMetrics;
  readonly #under_way = new UnderWay();
  readonly #spare = new Spare();
  readonly #ready = new Set<Tailed>();
  /** Of which there was a hint. */
  readonly #hinted = new Set<Tailed>();
  readonly #said = new Set<string>();
  #tools: Tools;
  /** True when what was there at the start is known. */
  #begun = false;
  #scanned_ms = -Infinity;
  #looked_ms = -Infinity;

  constructor(options: ReaderOptions, intake: Intake, stop: AbortSignal) {
    const { name, discovery, clock, log } = options;
    this.#options = options;
    this.#intake = intake;
    this.#stop = stop;
    this.#tools = intake.tools();
    this.#hints = new Hints(clock, stop);
    this.#metrics = tailMetrics(intake.registry, name);
    const first = options.start === 'end' && !intake.positions.has(name) ? 'end' : 'all';
    this.#logs = new Logs(
      {
        name,
        discovery,
        clock,
        log,
        metrics: this.#metrics,
        first: () => (this.#begun ? 'all' : first),
        opened: (log) => this.#opened(log),
        hint: (log) => {
          if (log !== undefined) this.#hinted.add(log);
          this.#hints.hint();
        },
      },
      intake,
    );
  }

  async run(): Promise<void> {
    const unwatch = this.#options.metadata.watch((uid) => this.#known(uid));
    try {
      this.#logs.scan();
      this.#logs.orphans();
      this.#begun = true;
      await this.#meanwhile(this.#mark());
      await this.#read();
      await Promise.all([...this.#logs.all.values()].map((log) => log.leave()));
    } finally {
      unwatch();
      this.#logs.close();
    }
  }

  /** So that the next start knows that it is not the first, and what was passed over in this one. */
  async #mark(): Promise<void> {
    const { name, start } = this.#options;
    if (this.#intake.positions.has(name)) return;
    const marks = [{ source: name, position: { started: true } as Position }];
    if (start === 'end') {
      for (const { path, position } of this.#logs.all.values()) marks.push({ source: path, position });
    }
    const appends = marks.map((mark) => this.#intake.append({ ...mark, lines: 0, rows: [] }, newCounts()));
    await Promise.all(appends).catch(() => {});
  }

  async #read(): Promise<void> {
    let ahead: Turn | undefined;
    try {
      while (!this.#stop.aborted && !this.#intake.over) {
        await this.#look();
        const turn: Turn | undefined = ahead ?? this.#next();
        ahead = undefined;
        if (turn === undefined) {
          await this.#hints.sleep(this.#pause());
          continue;
        }
        const bytes = await turn.bytes;
        if (bytes === undefined) continue;
        this.#ready.add(turn.log);
        ahead = this.#next();
        await this.#meanwhile(turn.log.take(bytes, this.#intake, this.#tools, this.#under_way));
        this.#spare.give(bytes);
      }
    } finally {
      // It is not decoded, and so read again. No file is closed while it is read.
      await ahead?.bytes;
    }
  }

  /** While the spool takes nothing, logs are rotated and deleted all the same: what there is of them has to be held. */
  async #meanwhile(taken: Promise<void>): Promise<void> {
    const over = new AbortController();
    void taken.catch(() => {}).finally(() => over.abort(OVER));
    for (;;) {
      await this.#options.clock.sleep(SCAN_MS, over.signal);
      if (over.signal.aborted) return taken;
      this.#logs.scan();
      this.#bound();
    }
  }

  #next(): Turn | undefined {
    for (const log of this.#ready) {
      this.#ready.delete(log);
      if (log.state !== 'reading') continue;
      log.busy = true;
      const bytes = log.files.read(this.#spare.take).catch((error: Error) => this.#failed(log, error));
      return { log, bytes: bytes.finally(() => this.#wasRead(log)) };
    }
    return undefined;
  }

  #wasRead(log: Tailed): void {
    log.busy = false;
    if (log.state === 'excluded') log.files.close();
  }

  #failed({ path }: Tailed, error: Error): undefined {
    if (this.#said.has(path)) return;
    this.#said.add(path);
    this.#options.log('warning', `${path} cannot be read (${errorCode(error) ?? error.message}): it is tried again`, {
      path,
    });
  }

  /** Whatever is due between two reads. */
  async #look(): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (this.#intake.decode !== this.#tools.options) this.#tools = this.#intake.tools();
    if (now - this.#scanned_ms >= SCAN_MS) {
      this.#logs.scan();
      this.#scanned_ms = now;
      for (const log of this.#logs.all.values()) this.#hinted.add(log);
      await this.#sweep();
    } else if (this.#logs.folders.hinted) this.#logs.folders.glance();
    for (const log of this.#hinted) if (log.state === 'reading' && !log.busy && log.files.look()) this.#ready.add(log);
    this.#hinted.clear();
    if (now - this.#looked_ms >= LOOK_MS) {
      this.#looked_ms = now;
      for (const log of this.#logs.all.values())
        if (log.open && !log.busy && !this.#ready.has(log)) await this.#meanwhile(log.quiet());
    }
  }

  /** Lets go of logs that are gone. */
  async #sweep(): Promise<void> {
    for (const log of this.#logs.all.values()) {
      if (!log.busy && !this.#ready.has(log) && log.files.gone(GONE_MS)) await this.#meanwhile(this.#end(log));
    }
    this.#bound();
  }

  /** Lets go of deleted files that are too large together. */
  #bound(): void {
    const { max_deleted_bytes, log: say } = this.#options;
    let [reading, deleted] = [0, 0];
    for (const { state, files } of this.#logs.all.values()) {
      if (state === 'reading') reading += 1;
      deleted += files.deleted_bytes;
    }
    this.#metrics.logs(reading, this.#logs.all.size - reading, deleted);
    if (deleted <= max_deleted_bytes) return;
    const largest = [...this.#logs.all.values()].sort((a, b) => b.files.deleted_bytes - a.files.deleted_bytes);
    for (const { path, state, files } of largest) {
      if (deleted <= max_deleted_bytes) break;
      const bytes = files.giveUp(state === 'reading');
      if (bytes === 0) continue;
      deleted -= bytes;
      this.#metrics.lost(bytes);
      say(
        'error',
        `${bytes} bytes of deleted files of ${path} are given up: more than max_deleted_bytes (${max_deleted_bytes}) waited to be read`,
        { path },
      );
    }
  }

  async #end(log: Tailed): Promise<void> {
    if (log.state === 'reading') await log.end(this.#intake, this.#tools, this.#under_way);
    this.#logs.forget(log);
  }

  #pause(): number {
    const now = this.#options.clock.monotonic();
    const scan = this.#scanned_ms + SCAN_MS - now;
    for (const { open } of this.#logs.all.values()) if (open) return Math.min(scan, this.#looked_ms + LOOK_MS - now);
    return scan;
  }

  #opened(log: Tailed): void {
    if (log.place === undefined) {
      this.#settle(log, { fields: NOWHERE, annotations: new Map() });
      return;
    }
    void this.#options.metadata.wait(log.place, this.#stop).then((known) => this.#settle(log, known));
  }

  /** Somebody has told something of a pod. */
  #known(uid: string): void {
    for (const log of this.#logs.all.values()) {
      if (log.place !== undefined && (log.place.pod_uid === uid || log.place.pod_uid === '')) {
        this.#settle(log, this.#options.metadata.now(log.place));
      }
    }
  }

  #settle(log: Tailed, known: Known): void {
    if (this.#logs.all.get(log.path) !== log) return;
    const before = log.state;
    log.origin = known.fields;
    const judged = this.#options.selection.judge(known);
    log.state =
      judged === 'read' ? 'reading' : judged === 'excluded' ? 'excluded' : before === 'reading' ? 'reading' : 'waiting';
    // Another file may have the descriptor of one that is closed while it is read.
    if (log.state === 'excluded' && !log.busy) log.files.close();
    if (log.state === 'reading' && before === 'excluded') this.#logs.include(log);
    if (log.state === 'reading') {
      this.#hinted.add(log);
      this.#hints.hint();
    }
  }
}
