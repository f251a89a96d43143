import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { afterEach, beforeEach } from 'vitest';
import { Counters } from '../../../src/counters.ts';
import type { Lane } from '../../../src/delivery/lane.ts';
import { Lanes } from '../../../src/delivery/lanes.ts';
import { runPipeline } from '../../../src/pipeline.ts';
import { Slabs } from '../../../src/slabs.ts';
import { filesSource } from '../../../src/sources/files/index.ts';
import type { Metadata } from '../../../src/sources/files/metadata.ts';
import type { FilesOptions } from '../../../src/sources/files/schema.ts';
import { OPTIONS } from '../../support/decode.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { KeptSpool } from '../../support/kept-spool.ts';
import { real } from '../parts.ts';

export const UID = '6f1c8f5e-0000-4000-8000-000000000001';

/** Entries as a runtime writes them. */
export function cri(text: string, tag = 'F', stream = 'stderr'): string {
  return `${new Date().toISOString().slice(0, -1)}000000Z ${stream} ${tag} ${text}\n`;
}

export interface Running {
  readonly clock: FakeClock;
  readonly registry: Registry;
  /** Ends as on SIGTERM. */
  stop(): Promise<void>;
}

/** A node's directory of logs, for every test its own, and what is stored of it. */
export class Node {
  directory = '';
  spool = new KeptSpool();
  readonly said: string[] = [];
  readonly #running: Running[] = [];

  constructor() {
    beforeEach(() => {
      this.directory = mkdtempSync(join(tmpdir(), 'steptap-files-'));
      this.spool = new KeptSpool();
      this.said.length = 0;
    });
    afterEach(async () => {
      for (const running of this.#running.splice(0)) await running.stop();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  at(...path: string[]): string {
    return join(this.directory, ...path);
  }

  /** The log of a container. */
  log(pod = 'pod', container = 'main', { namespace = 'ns', uid = UID } = {}): string {
    return this.at('pods', `${namespace}_${pod}_${uid}`, container, '0.log');
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, text);
  }

  start(
    options: FilesOptions = {},
    around: { metadata?: Metadata; env?: Record<string, string>; max_deleted_bytes?: number } = {},
  ): Running {
    const clock = new FakeClock();
    const registry = new Registry();
    const stop = new AbortController();
    const source = filesSource(
      'pods',
      { paths: [this.at('pods/*/*/*.log')], ...options },
      {
        clock,
        log: (_severity, message) => this.said.push(message.replaceAll(`${this.directory}/`, '')),
        env: around.env ?? {},
        metadata: around.metadata,
        max_deleted_bytes: around.max_deleted_bytes ?? 1 << 30,
      },
    );
    const none = { run: async () => {}, pending: () => 0, sink: { name: 'none' } } as unknown as Lane;
    const result = runPipeline(
      {
        sources: [source],
        decode: OPTIONS,
        spool: this.spool,
        lanes: new Lanes(),
        deadLetters: none,
        counters: new Counters(registry, () => this.spool.usage()),
        clock,
        grace_ms: 5_000,
        slabs: new Slabs(),
      },
      stop.signal,
    );
    let ended = false;
    void result.finally(() => (ended = true));
    const running = {
      clock,
      registry,
      stop: async () => {
        stop.abort();
        while (!ended) {
          await clock.advance(50);
          await real(1);
        }
        const { failure } = await result;
        if (failure !== undefined) throw failure;
      },
    };
    this.#running.push(running);
    return running;
  }

  /** What is stored so far: messages, in their order. */
  get messages(): string[] {
    return this.rows.map(({ message }) => String(message));
  }

  get rows(): Record<string, unknown>[] {
    return this.spool.rows('logs');
  }

  async until(running: Running, so: () => boolean): Promise<void> {
    for (let turn = 0; !so(); turn++) {
      if (turn > 3_000) throw new Error(`it never was so: ${this.messages.join(' | ')}; ${this.said.join(' | ')}`);
      await running.clock.advance(50);
      await real(1);
    }
  }

  /** Lets so much time pass, in which everything that the disk has to say is said. */
  async pass(running: Running, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      await running.clock.advance(50);
      await real(2);
    }
  }
}

let rotations = 0;

/** As kubelet: renamed, and a new one begun. Gives what the old one is called now. */
export async function rotate(path: string): Promise<string> {
  // Two files that are born in one tick of the kernel's clock are of the same age.
  await real(12);
  const to = `${path}.20260219-${String(++rotations).padStart(6, '0')}`;
  renameSync(path, to);
  await real(12);
  writeFileSync(path, '');
  return to;
}

export function compress(path: string): void {
  writeFileSync(`${path}.tmp`, gzipSync(readFileSync(path)));
  renameSync(`${path}.tmp`, `${path}.gz`);
  unlinkSync(path);
}

export function mkfifo(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  execFileSync('mkfifo', [path]);
}
