import { failedStep, flytekitLine, stepLine, TASK } from './flytekit-lines.ts';
import type { Random } from './random.ts';

/*
 * What tasks write, and what has to come of it. Every event has a number, which is in all of its lines that say anything and in a field that reaches the
 * sinks: `execution_id` of a step, the message of everything else.
 */

export type Sinks = 'clickhouse' | 'elasticsearch';

/** What must be stored for one number, exactly once in every sink that does not refuse it. */
export interface Expected {
  readonly number: string;
  readonly table: 'steps' | 'logs' | 'events' | 'rejections';
  /** The whole of an event of several lines; where it is absent the number is enough. */
  readonly message?: string;
  /** Physical lines that it has to account for. */
  readonly lines?: number;
  /** Of a captured error: the step that it has to be blamed on. */
  readonly execution_id?: string;
  /** Sinks that refuse the row: there it ends as one dead letter. */
  readonly poison?: readonly Sinks[];
}

/** Lines of one stream, in order, and what they mean. `joins`: several lines make one event, so that a long pause between them may end it. */
export interface Story {
  readonly kind: Kind;
  /** Without what the transport puts before them, but for CRI's flag. */
  readonly lines: readonly Line[];
  readonly expected: readonly Expected[];
  readonly joins: boolean;
}

export interface Line {
  readonly text: string;
  /** True when CRI's runtime cut the line here. */
  readonly partial?: boolean;
}

export type Kind = 'step' | 'log' | 'traceback' | 'failure' | 'cut' | 'blank' | 'broken' | 'poison' | 'refused';

/** Mostly steps. Poison is rare: each refused row costs ClickHouse two dozen INSERTs. */
export const USUAL: Readonly<Record<Kind, number>> = {
  step: 700,
  log: 150,
  traceback: 60,
  failure: 30,
  cut: 40,
  blank: 15,
  broken: 4,
  poison: 0.3,
  refused: 0,
};

/** What the harness's ClickHouse knows of classes: its column is an Enum, and refuses any other with a poison code of its own (691). */
export const KNOWN_ERRORS = ['', 'ValueError', 'FlyteUserRuntimeException', 'SearchPoisonError'];
/** What the search sink refuses. */
export const SEARCH_POISON = /"(?:Search|Both)PoisonError"/;

export const NUMBER = /k\d{7}z/;

export function numberOf(n: number): string {
  return `k${String(n).padStart(7, '0')}z`;
}

/** Of a task of its own: the captured error of another step is not blamed on it. */
function pill(number: string, error: string, poison: readonly Sinks[]): Omit<Story, 'kind'> {
  const lines = [{ text: failedStep(number, error, 'workflows.poison.pill') }];
  return { lines, expected: [{ number, table: 'steps', poison }], joins: false };
}

type Maker = (next: () => string, random: Random) => Omit<Story, 'kind'>;

const MAKERS: Readonly<Record<Kind, Maker>> = {
  step(next, random) {
    const number = next();
    return { lines: [{ text: stepLine(number, random) }], expected: [{ number, table: 'steps' }], joins: false };
  },

  log(next, random) {
    const number = next();
    const text = random.one([
      `{"asctime": "2026-02-19 02:15:26,781", "name": "user_space", "levelname": "INFO", "message": "epoch ${number} loss=0.6902", "epoch": 1}`,
      `loading ${number} shards from /tmp/flyte`,
      `[user_space] epoch ${number} loss=0.3991`,
      `2026-02-19 02:15:26,781 WARNING workflows.train: ${number} is slow`,
    ]);
    return { lines: [{ text }], expected: [{ number, table: 'logs' }], joins: false };
  },

  traceback(next, random) {
    const number = next();
    const texts = ['Traceback (most recent call last):'];
    for (let frame = random.between(1, 6); frame > 0; frame--) {
      texts.push(`  File "/root/workflows/${number}.py", line ${frame}, in fit`, `    frame_${frame}()`);
    }
    texts.push(`ValueError: ${number} does not fit`);
    if (random.chance(0.2)) {
      const chain = 'During handling of the above exception, another exception occurred:';
      texts.push('', chain, '', texts[0]!, `  File "/root/${number}.py", line 1, in again`, `RuntimeError: ${number}`);
    }
    const message = texts.join('\n');
    const expected = [{ number, table: 'logs', message, lines: texts.length }] as const;
    return { lines: texts.map((text) => ({ text })), expected, joins: true };
  },

  // A step fails, and flytekit prints the error that it captured: two events, the second of four lines.
  failure(next) {
    const step = next();
    const number = next();
    const message = `Trace:\n\n    Traceback (most recent call last):\n      File "/root/workflows/train.py", line 41, in fit\n    ValueError: ${number}\n\nMessage:\n\n    ValueError: ${number}`;
    const texts = [
      failedStep(step, 'FlyteUserRuntimeException'),
      flytekitLine(`Exception when executing task ${TASK}, reason ${number}`),
      flytekitLine('!! Begin User Error Captured by Flyte !!'),
      flytekitLine(message),
      flytekitLine('!! End Error Captured by Flyte !!'),
    ];
    const expected: Expected[] = [
      { number: step, table: 'steps' },
      { number, table: 'events', message, lines: 4, execution_id: step },
    ];
    return { lines: texts.map((text) => ({ text })), expected, joins: true };
  },

  // containerd cuts at 16 KiB; shorter here.
  cut(next, random) {
    const number = next();
    const text = random.chance(0.5) ? stepLine(number, random) : `a long line of ${number} ${'x'.repeat(2_000)} ends`;
    const at = random.between(1, text.length - 1);
    const table = text.startsWith('{') ? 'steps' : 'logs';
    const lines = [{ text: text.slice(0, at), partial: true }, { text: text.slice(at) }];
    return { lines, expected: [{ number, table, lines: 2 }], joins: true };
  },

  blank: () => ({ lines: [{ text: '' }], expected: [], joins: false }),

  broken(next, random) {
    const number = next();
    const whole = stepLine(number, random);
    // Behind the number and before the end: it says that it is a step, and is none.
    const end = random.between(whole.indexOf(number) + number.length, whole.length - 2);
    return { lines: [{ text: whole.slice(0, end) }], expected: [{ number, table: 'rejections' }], joins: false };
  },

  poison(next, random) {
    const [error, poison] = random.one<readonly [string, Sinks[]]>([
      ['ClickHousePoisonError', ['clickhouse']],
      ['SearchPoisonError', ['elasticsearch']],
      ['SearchPoisonError', ['elasticsearch']],
      ['BothPoisonError', ['clickhouse', 'elasticsearch']],
    ]);
    return pill(next(), error, poison);
  },

  refused: (next) => pill(next(), 'ClickHousePoisonError', ['clickhouse']),
};

export function makeStory(kind: Kind, next: () => string, random: Random): Story {
  return { kind, ...MAKERS[kind](next, random) };
}
