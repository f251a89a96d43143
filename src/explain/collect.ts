import type { Table } from '../batch.ts';
import { decodeUtf8 } from '../bytes.ts';
import type { Clock } from '../clock.ts';
import { Decoder, type DecodeOptions } from '../decode.ts';
import { OWN_KEYS } from '../dialects/flytekit/keys.ts';
import { LineCutter } from '../framing/lines.ts';
import type { Became, Observer, Part, Source } from '../observer.ts';
import { Privacy } from '../privacy/index.ts';
import type { ByteSource as Input } from '../sources/source.ts';
import { Account, type Note } from './account.ts';
import { echo } from './echo.ts';
import { explainFields, explainLetter, type ExplainedField } from './fields.ts';

/** What one line, or several that belong together, became and why. `--json` prints it as it is. */
export interface Explained {
  /** Numbers of the physical lines, from 1; of several events on one line each has it. */
  readonly lines: readonly number[];
  /** Behind its framing, as it may be shown. */
  readonly text: string;
  /** Where it goes: a table, the dead letters, or nowhere: `filtered`, `blank`. */
  readonly to: Table | 'filtered' | 'blank';
  /** Of a rejection. */
  readonly reason?: string;
  readonly detail?: string;
  readonly framing: readonly Note[];
  readonly dialect: readonly Note[];
  readonly rules: readonly Note[];
  /** The row's own, all of them. */
  readonly fields: readonly ExplainedField[];
}

/**
 * Explains lines. The decoder that a run has does the work, on its slow path, and says what it does; a rejected line is shown masked even where the dead
 * letter keeps its bytes. `source` is what a run calls the input.
 */
export class Explainer {
  readonly #collector: Collector;
  readonly #decoder: Decoder;
  readonly #cutter: LineCutter;

  constructor(options: DecodeOptions, clock: Clock, source = 'stdin') {
    const privacy = { ...options.privacy, keep_raw: false };
    this.#collector = new Collector({ ...options, privacy }, options.privacy.keep_raw);
    this.#decoder = new Decoder(inputOf(source), { ...options, privacy, fast: false, tell: this.#collector }, clock);
    this.#cutter = new LineCutter(options.max_line_bytes);
  }

  push(bytes: Buffer): void {
    for (const chunk of this.#cutter.push(bytes)) this.#decoder.feed(chunk);
  }

  /** What the lines became, in the order in which they became it. */
  end(): readonly Explained[] {
    for (const chunk of this.#cutter.end()) this.#decoder.feed(chunk);
    this.#decoder.flush('all');
    return this.#collector.explained;
  }
}

/** What these lines became. */
export function explain(bytes: Buffer, options: DecodeOptions, clock: Clock): readonly Explained[] {
  const explainer = new Explainer(options, clock);
  explainer.push(bytes);
  return explainer.end();
}

function inputOf(name: string): Input {
  return {
    name,
    resumes: false,
    own: name === 'stdin',
    open() {
      throw new Error('what is explained is not opened');
    },
    position: (offset) => ({ offset }),
  };
}

class Collector implements Observer {
  readonly explained: Explained[] = [];
  readonly #options: DecodeOptions;
  readonly #keepsRaw: boolean;
  readonly #privacy: Privacy;
  readonly #waiting = new Map<unknown, Account>();
  /** The line in hand. */
  #line = new Account([]);
  /** An event that ends while it is read. */
  #ending: Account | undefined;
  #count = 0;

  constructor(options: DecodeOptions, keepsRaw: boolean) {
    this.#options = options;
    this.#keepsRaw = keepsRaw;
    this.#privacy = new Privacy(options.privacy);
  }

  get #account(): Account {
    return this.#ending ?? this.#line;
  }

  line(whole?: unknown): void {
    this.#ending = undefined;
    if (whole === undefined) this.#line = new Account([++this.#count]);
    else this.#line = this.#taken(whole) ?? this.#line;
  }

  reads(text: string, kind: 'text' | 'object' | 'merged'): void {
    this.#account.reads.push({ text, kind });
  }

  note(part: Part, text: string, about = ''): void {
    this.#account.note({ part, about, text });
  }

  from(field: string, source: Source): void {
    this.#account.source(field, source);
  }

  waits(event: unknown): void {
    const account = this.#account.next();
    const before = this.#waiting.get(event);
    if (before === undefined) this.#waiting.set(event, account);
    else before.take(account);
    this.#ending = undefined;
  }

  ends(event: unknown): void {
    this.#ending = this.#taken(event);
  }

  became(what: Became): void {
    const account = this.#account.next();
    this.#ending = undefined;
    const dialect = account.notes.filter(({ part }) => part === 'dialect');
    const rules = account.notes.filter(({ part }) => part !== 'dialect');
    const { lines, framing } = account;
    const common = { lines, text: this.#echo(what, account), framing, dialect };
    if (!('table' in what)) {
      const nowhere =
        'filtered' in what ? ({ to: 'filtered', reason: what.filtered } as const) : ({ to: 'blank' } as const);
      this.explained.push({ ...common, ...nowhere, rules, fields: [] });
      return;
    }
    const { constants } = this.#options;
    if (what.table !== 'rejections') {
      const fields = explainFields(what.row, account, constants);
      this.explained.push({ ...common, to: what.table, rules, fields });
      return;
    }
    if (this.#keepsRaw)
      rules.push({ part: 'privacy', about: 'raw', text: 'a run keeps its bytes unmasked: --dead-letters-keep-raw' });
    const { reason, detail } = JSON.parse(decodeUtf8(what.row)) as { reason: string; detail: string };
    const fields = explainLetter(what.row, account, constants);
    this.explained.push({ ...common, to: 'rejections', reason, detail, rules, fields });
  }

  #taken(event: unknown): Account | undefined {
    const account = this.#waiting.get(event);
    this.#waiting.delete(event);
    return account;
  }

  #echo(what: Became, account: Account): string {
    const rejected = 'table' in what && what.table === 'rejections';
    if (rejected) return rawText(JSON.parse(decodeUtf8(what.row)) as { raw?: string; raw_base64?: string });
    // Of a step all that is flytekit's own; but what a rule was about is none of it.
    const keys = new Set<string>('table' in what && what.table === 'steps' ? OWN_KEYS : []);
    for (const source of account.from.values()) if (typeof source === 'object') keys.add(source.key);
    for (const { part, about } of account.notes) if (part === 'privacy') keys.delete(about);
    return echo(account, keys, this.#privacy);
  }
}

function rawText({ raw, raw_base64 = '' }: { raw?: string; raw_base64?: string }): string {
  return raw ?? Buffer.from(raw_base64, 'base64').toString('utf8');
}
