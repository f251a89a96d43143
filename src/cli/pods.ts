import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { DecodeOptions } from '../decode.ts';
import { CurrentPods } from '../kubernetes/current.ts';
import { openPods, type Pods } from '../kubernetes/pods.ts';
import { kubernetesOptions } from '../kubernetes/schema.ts';
import type { Log } from '../log.ts';
import { podMetadata, type Metadata } from '../sources/files/metadata.ts';
import type { Settings } from './settings.ts';

const WAIT = kubernetesOptions.properties.wait_s;

/** What is asked for the pods of a run; the same through all pipelines that it becomes. */
export class PodsOfRun {
  readonly #current = new CurrentPods();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Registry;
  #key = '';
  #next: { readonly pods: Pods | undefined; readonly key: string } | undefined;
  #asked = false;
  #wait_ms = WAIT.default * 1000;
  readonly metadata: Metadata = podMetadata(this.#current, () => this.#wait_ms);

  constructor(clock: Clock, log: Log, metrics: Registry) {
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** What a pipeline asks for, without touching what is asked now. Throws a UsageError when it cannot be asked. */
  async plan({ config, pipeline }: Settings): Promise<void> {
    const options = config.enrichment?.kubernetes;
    const files = Object.entries(config.sources ?? {}).filter(([, { type }]) => type === 'files');
    const wanted = options !== undefined || files.length > 0;
    const key = wanted ? JSON.stringify(options ?? {}) : '';
    await this.drop();
    if (key !== this.#key) {
      const [clock, log, env, metrics] = [this.#clock, this.#log, process.env, this.#metrics];
      const annotations = files.flatMap(([, source]) =>
        source.type === 'files' ? (source.exclude_annotations ?? []) : [],
      );
      const around = { clock, log, env, metrics, random: Math.random, annotations };
      const pods = wanted ? openPods(options ?? {}, around) : undefined;
      this.#next = { pods, key };
    }
    this.#asked = wanted && (this.#next?.pods ?? this.#current).state.state !== 'off';
    this.#wait_ms = (options?.wait_s ?? WAIT.default) * 1000;
    for (const [name, source] of files) {
      if (this.#asked || source.type !== 'files' || (source.exclude_annotations ?? []).length === 0) continue;
      const message = 'nobody can be asked for annotations: give enrichment.kubernetes a kubeconfig, or leave them out';
      await this.drop();
      throw pipeline.error([{ path: ['sources', name, 'exclude_annotations'], message }]);
    }
  }

  /** The pods that are known now. */
  get pods(): Pods {
    return this.#current;
  }

  /** With who knows the pods that lines only name, where anybody is asked. */
  known(decode: DecodeOptions): DecodeOptions {
    const { kubernetes } = decode;
    return this.#asked && kubernetes !== undefined
      ? { ...decode, kubernetes: { ...kubernetes, pods: this.#current } }
      : decode;
  }

  /** What was planned holds from now on. */
  async become(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) return;
    this.#key = next.key;
    await this.#current.become(next.pods);
  }

  /** What was planned is not wanted after all. */
  async drop(): Promise<void> {
    await this.#next?.pods?.close();
    this.#next = undefined;
  }

  async close(): Promise<void> {
    await this.drop();
    await this.#current.close();
  }
}
