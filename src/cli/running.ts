import type { Readable } from 'node:stream';
import { OVER, type Clock } from '../clock.ts';
import type { Counters } from '../counters.ts';
import type { DecodeOptions } from '../decode.ts';
import { BACKOFF } from '../delivery/backoff.ts';
import type { CursorStore, LaneCursor } from '../delivery/cursor.ts';
import { BLOCK_LIMITS, Lane } from '../delivery/lane.ts';
import { Lanes } from '../delivery/lanes.ts';
import { Ledger } from '../delivery/ledger.ts';
import { UsageError } from '../errors.ts';
import { Feed } from '../live/feed.ts';
import type { Log } from '../log.ts';
import { startPipeline, type Pipeline } from '../pipeline.ts';
import { createPrometheusSink, StepRegistry, type PrometheusSink } from '../sinks/prometheus/index.ts';
import { laneOf, type Sink } from '../sinks/sink.ts';
import type { Source } from '../sources/source.ts';
import { detachStdin } from '../sources/stdin/detach.ts';
import { Slabs } from '../slabs.ts';
import type { SpoolRecord, Until } from '../spool/spool.ts';
import { assemblersOf } from '../tasks/assemblers.ts';
import { TaskStage } from '../tasks/stage.ts';
import { serveQueries, type QueryServer } from '../state/query-socket.ts';
import { serveTail, type TailServer } from '../state/tail-socket.ts';
import { inputs, type Inputs, type Reading } from './inputs.ts';
import { refuseOpen } from './listeners.ts';
import { readiness, Serving } from './serving.ts';
import { refuseFixed, refuseSameLanes, type Plan } from './plan.ts';
import { PodsOfRun } from './pods.ts';
import { decoding, graceMs, metricsSettings, stateSettings, type MetricsSettings, type Settings } from './settings.ts';
import { NO_STATE, openState, type State } from './state.ts';
import { createDeadLetterSink, plannedStores, type PlannedStore, droppable } from './stores.ts';
import { teller } from './teller.ts';

export interface RunningOptions {
  /** False: with none named, no rows are kept. */
  readonly store: boolean;
  /** The sinks whose oldest rows may be given up, whatever the pipeline says. */
  readonly drop_oldest: readonly string[] | undefined;
  /** Sees every record. */
  readonly appended: (record: SpoolRecord) => void;
  /** Read instead of what the pipeline names. */
  readonly sources?: readonly Source[];
  /** Called when the settings make sense, before anything is opened; gives those that hold, which may have another state. */
  readonly checked?: (settings: Settings) => Settings;
  /** True: an address of metrics that cannot be listened on is worth a warning, not a failure. */
  readonly metrics_optional?: boolean;
}

/** A store with the lane that serves it. */
interface Served {
  readonly planned: PlannedStore;
  readonly lane: Lane;
}

/**
 * A run: spool, lanes, sources and metrics. It may become another pipeline while it goes on: what has not changed is not touched, and what has goes on where it was.
 * So nothing is lost or stored twice by a change, and no counter goes back.
 */
export class Running {
  readonly registry = new StepRegistry();
  readonly ledger = new Ledger(this.registry);
  readonly lanes = new Lanes();
  /** Of every record, for whoever watches. */
  readonly #feed: Feed;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: RunningOptions;
  readonly #slabs = new Slabs();
  readonly #left = new AbortController();
  readonly #served = new Map<string, Served>();
  readonly #tell: ReturnType<typeof teller>;
  state!: State;
  #tasks!: TaskStage;
  deadLetters!: Lane;
  settings!: Settings;
  sources: Inputs = new Map();
  /** Names of all sources that were begun. */
  readonly #known = new Set<string>();
  #decode!: DecodeOptions;
  /** Why a change of the pipeline ended in the middle, if one did: then the run ends. */
  failure: Error | undefined;
  #detached: Readable | undefined;
  #metrics: MetricsSettings | undefined;
  #prometheus: { readonly lane: Lane; readonly sink: PrometheusSink; readonly counted: number } | undefined;
  readonly #serving: Serving;
  readonly #pods: PodsOfRun;
  #queries: QueryServer | undefined;
  #tail: TailServer | undefined;
  #pipeline: Pipeline | undefined;

  private constructor(options: RunningOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#tell = teller(log);
    this.#feed = new Feed(clock, () => ({ src: this.state.spool.src, seq: this.state.spool.last }));
    this.#pods = new PodsOfRun(clock, log, this.registry);
    this.#serving = new Serving(
      {
        registry: this.registry,
        feed: this.#feed,
        readiness: () => readiness(this.all, this.state.spool),
        // The histograms have what the spool had when they began.
        counted: () => this.#prometheus === undefined || this.#prometheus.lane.settled >= this.#prometheus.counted,
      },
      log,
      options.metrics_optional,
    );
  }

  /** Opens everything that the pipeline names. Throws a UsageError when it cannot be had. */
  static async open(settings: Settings, options: RunningOptions, clock: Clock, log: Log): Promise<Running> {
    const running = new Running(options, clock, log);
    try {
      const plan = await running.#plan(settings);
      const checked = options.checked?.(settings) ?? settings;
      running.state = await openState(stateSettings(checked), clock, log, running.#slabs, (record) => {
        running.ledger.accept(record);
        running.#feed.record(record);
        options.appended(record);
      });
      await running.#begin({ ...plan, settings: checked });
    } catch (error) {
      await running.close();
      throw error;
    }
    return running;
  }

  /** Aborts when whoever a sink writes for has left. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  get stores(): readonly Sink[] {
    return [...this.#served.values()].map(({ lane }) => lane.sink);
  }

  /** Every lane, that of the dead letters last. */
  get all(): readonly Lane[] {
    return [...this.lanes.all, this.deadLetters];
  }

  get metricsUrl(): string | undefined {
    const { url } = this.#serving;
    return url === undefined ? undefined : `${url}/metrics`;
  }

  /** Reads, until the sources end or `stop` aborts. */
  start(counters: Counters, stop: AbortSignal): Pipeline {
    for (const { name } of this.sources.values()) this.#known.add(name);
    this.#pipeline = startPipeline(
      {
        sources: [...this.sources.values()],
        decode: this.#decode,
        spool: this.state.spool,
        lanes: this.lanes,
        deadLetters: this.deadLetters,
        stages: [this.#tasks],
        slabs: this.#slabs,
        counters,
        clock: this.#clock,
        grace_ms: graceMs(this.settings),
      },
      stop,
    );
    return this.#pipeline;
  }

  /** Goes on as another pipeline. Throws a UsageError when it cannot; then nothing has changed. */
  async become(settings: Settings): Promise<void> {
    const { pipeline } = settings;
    refuseFixed(settings, this.settings);
    // Who is told that all lanes have ended would close what this opens.
    await this.lanes.change(async () => {
      const plan = await this.#plan(settings).catch(async (error: unknown) => {
        await this.#pods.drop();
        throw error;
      });
      const sources = [...plan.sources.values()];
      if (this.#pipeline?.reading === false && sources.some((source) => ![...this.sources.values()].includes(source))) {
        throw pipeline.error([{ path: ['sources'], message: 'reading has ended: start steptap again' }]);
      }
      await this.#serving.at(plan.metrics?.place);
      try {
        await this.#change(plan);
      } catch (error) {
        // It is neither the one nor the other now.
        this.failure = error as Error;
        this.#left.abort(OVER);
      }
    });
  }

  async #change(plan: Plan): Promise<void> {
    await this.#pods.become();
    this.settings = plan.settings;
    this.sources = plan.sources;
    this.#decode = plan.decode;
    for (const { name } of plan.sources.values()) this.#known.add(name);
    for (const [name, { planned, lane }] of this.#served) {
      const now = plan.stores.find((each) => each.name === name);
      const sink = now === undefined ? undefined : plan.sinks.get(now);
      if (now !== undefined && now.key === planned.key) continue;
      if (sink !== undefined && laneOf(sink) === laneOf(lane.sink)) await this.#exchange(now!, sink);
      else await this.#end(name);
    }
    for (const [planned, sink] of plan.sinks) {
      if (!this.#served.has(planned.name)) await this.#serve(planned, sink);
    }
    await this.#observe(plan.metrics);
    this.#assemble();
    // Last: a row with a column that was declared just now must not come to a sink that does not know it.
    this.#pipeline?.change([...plan.sources.values()], plan.decode);
  }

  /** The reader of a sink has left: that ends the run. */
  #leave(): void {
    this.#log('info', 'stopping: nobody reads standard output any more');
    this.#left.abort(OVER);
  }

  /** Lets go of everything. */
  async close(): Promise<void> {
    // It may not have come as far as the lane of the dead letters.
    const closing = this.all.map((lane: Lane | undefined) => lane?.sink.close());
    await Promise.allSettled([
      this.#queries?.close(),
      this.#tail?.close(),
      this.#serving.close(),
      this.#pods.close(),
      ...closing,
    ]);
    await (this.state as State | undefined)?.close();
  }

  async #plan(settings: Settings): Promise<Plan> {
    refuseOpen(settings);
    const stdin = (): Readable => this.#detached ?? process.stdin;
    await this.#pods.plan(settings);
    const decode = this.#pods.known(decoding(settings));
    const given = this.#options.sources?.map((source): [string, Source] => [source.name, source]);
    const sources =
      given === undefined
        ? inputs(settings, stdin, this.#clock, this.#log, this.#pods.metadata, this.#reading())
        : new Map(given);
    const metrics = metricsSettings(settings);
    const embedding = (): void => {
      if (this.#pipeline === undefined) {
        this.#detached ??= detachStdin([...sources.values()].some(({ name }) => name === 'stdin'));
      } else if (this.#detached === undefined) {
        throw new UsageError('the embedded ClickHouse cannot join a pipeline that runs: restart steptap');
      }
    };
    const stores = await plannedStores({ settings, store: this.#options.store }, this.#clock, this.#log, embedding);
    droppable(this.#options.drop_oldest, stores);
    const sinks = new Map<PlannedStore, Sink>();
    for (const planned of stores) {
      if (this.#served.get(planned.name)?.planned.key !== planned.key) sinks.set(planned, planned.create());
    }
    const lanes = stores.map((planned): [string, string] => {
      const sink = sinks.get(planned) ?? this.#served.get(planned.name)!.lane.sink;
      return [planned.name, laneOf(sink)];
    });
    refuseSameLanes(settings, lanes);
    return { settings, decode, sources, stores, sinks, metrics };
  }

  #reading(): Reading | undefined {
    return this.#pipeline === undefined ? undefined : { sources: this.sources, known: this.#known };
  }

  async #begin(plan: Plan): Promise<void> {
    await this.#pods.become();
    const { settings } = plan;
    const { state } = this;
    this.settings = settings;
    this.#decode = plan.decode;
    this.sources = plan.sources;
    for (const source of plan.sources.values()) if ('ready' in source) await source.ready?.();
    for (const [planned, sink] of plan.sinks) await this.#serve(planned, sink);
    await this.#observe(plan.metrics);
    const { spool } = state;
    this.#tasks = new TaskStage({ spool, clock: this.#clock, slabs: this.#slabs, registry: this.registry });
    this.#assemble();
    const buried = createDeadLetterSink(settings.state, this.#log);
    this.deadLetters = this.#lane(buried, await state.cursor(buried.name, buried.tables), {
      until: 'lanes',
      linger_ms: 100,
    });
    state.forsake(this.all.map(({ sink }) => laneOf(sink)));
    await this.#serving.at(plan.metrics?.place);
    if (settings.state !== NO_STATE) this.#tail = await serveTail(settings.state, this.#feed, this.#clock, this.#log);
    const embedded = plan.stores.find((store) => store.embedded !== undefined)?.embedded;
    if (embedded !== undefined) this.#queries = await serveQueries(settings.state, embedded);
  }

  #lane(
    sink: Sink,
    cursor: CursorStore,
    {
      until,
      linger_ms = BLOCK_LIMITS.linger_ms,
      drop_oldest = false,
    }: { readonly until?: Until; readonly linger_ms?: number | undefined; readonly drop_oldest?: boolean } = {},
  ): Lane {
    const { state } = this;
    const lane = new Lane({
      sink,
      spool: state.spool,
      clock: this.#clock,
      ledger: this.ledger.lane(sink.name, sink.tables, state.totals(cursor.found, sink.tables)),
      backoff: BACKOFF,
      cursor,
      until,
      limits: { ...BLOCK_LIMITS, linger_ms },
      drop_oldest,
      changed: this.#tell,
      log: (message, rows) => this.#log('error', `${sink.name}: ${message}`, { sink: sink.name, rows }),
    });
    this.ledger.watch(sink.name, lane);
    return lane;
  }

  async #serve(planned: PlannedStore, sink: Sink, before?: LaneCursor): Promise<void> {
    this.#tell.store(sink);
    const late = this.#pipeline !== undefined;
    const cursor = await this.state.cursor(laneOf(sink), sink.tables, { before, late });
    const drop_oldest = this.#options.drop_oldest?.includes(planned.name) ?? planned.drop_oldest;
    const lane = this.#lane(sink, cursor, { drop_oldest, linger_ms: planned.linger_ms ?? BLOCK_LIMITS.linger_ms });
    sink.gone?.addEventListener('abort', () => this.#leave(), { once: true });
    this.#served.set(planned.name, { planned, lane });
    this.lanes.add(lane);
  }

  /** The new sink goes on where the old one was; the spool keeps what it needs until it has joined. */
  async #exchange(planned: PlannedStore, sink: Sink): Promise<void> {
    const { lane } = this.#served.get(planned.name)!;
    await this.lanes.remove(lane);
    await lane.sink.close();
    await this.#serve(planned, sink, lane.cursor);
    await lane.release();
  }

  async #end(name: string): Promise<void> {
    const { lane } = this.#served.get(name)!;
    this.#served.delete(name);
    await this.lanes.remove(lane);
    await lane.sink.close();
    const rows = lane.pending();
    this.ledger.leave(lane.sink.name);
    this.state.leave(laneOf(lane.sink));
    await lane.release();
    if (rows > 0) {
      const message = `${name} is no store of the pipeline any more: the ${rows} rows that wait for it are not kept any longer`;
      this.#log('warning', message, { sink: name, rows });
    }
  }

  /** Tasks are made where somebody takes them. */
  #assemble(): void {
    const taken = this.lanes.all.some(({ sink }) => sink.tables.has('tasks'));
    this.#tasks.assemblers = assemblersOf(this.settings.config.tasks ?? {}, taken, this.#pods.pods);
  }

  /** The histograms: the same as before, or others under the same names, which go on as far as they count the same. */
  async #observe(metrics: MetricsSettings | undefined): Promise<void> {
    const { place: _, ...before } = this.#metrics ?? {};
    const { place: _place, ...now } = metrics ?? {};
    const same = (metrics === undefined) === (this.#prometheus === undefined);
    this.#metrics = metrics;
    if (same && JSON.stringify(before) === JSON.stringify(now)) return;
    const old = this.#prometheus;
    if (old !== undefined) {
      await this.lanes.remove(old.lane);
      old.sink.unregister();
    }
    this.#prometheus = undefined;
    if (metrics !== undefined) {
      const sink = createPrometheusSink({ ...metrics, registry: this.registry });
      const cursor = await this.state.prometheus(
        sink,
        old === undefined ? undefined : { metrics: old.sink.dump(), cursor: old.lane.cursor },
      );
      const lane = this.#lane(sink, cursor, { linger_ms: 0 });
      this.#prometheus = { sink, lane, counted: this.state.spool.last };
      this.lanes.add(lane);
    } else if (old !== undefined) this.ledger.leave(old.sink.name);
    await old?.lane.release();
  }
}
