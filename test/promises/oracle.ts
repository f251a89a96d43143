import { makeStory, NUMBER, numberOf, USUAL, type Expected, type Kind, type Line, type Story } from './events.ts';
import { Random } from './random.ts';

/** Somebody who writes: a pod, or one of the two streams of a CRI file. What they write is interleaved. */
interface Stream {
  /** `F` is written as `P` for a line that the runtime cut. */
  readonly prefix: string;
  readonly cri: boolean;
}

const TIME = '2026-02-19T02:26:48.493345268Z';
const STREAMS: readonly Stream[] = [
  { prefix: '', cri: false },
  { prefix: '[pod/atr2-n0-0/main] ', cri: false },
  { prefix: `[pod/atr2-n1-0/main] ${TIME} `, cri: false },
  { prefix: `${TIME} stdout F `, cri: true },
  { prefix: `${TIME} stderr F `, cri: true },
];

/** Lines to be written at once, with their newlines, and where joins are open in them. */
export interface Portion {
  readonly text: string;
  readonly lines: number;
  /** Numbers of the events that several of these lines make. */
  readonly joins: readonly string[];
}

/** Hands out numbers, and knows what must come of them. */
export class Oracle {
  readonly expected = new Map<string, Expected>();
  readonly #random: Random;
  #last = 0;
  lines = 0;

  constructor(seed: number) {
    this.#random = new Random(seed, 'oracle');
  }

  /** Some stories, each in a stream of its own as far as there are streams, their lines interleaved. */
  portion(stories: number, weights: Readonly<Partial<Record<Kind, number>>> = USUAL): Portion {
    const random = this.#random;
    const queues = STREAMS.map((): string[] => []);
    const joins: string[] = [];
    for (let n = 0; n < stories; n++) {
      const story = this.story(random.weighted<Kind>(weights));
      const choice = STREAMS.map((_, index) => index).filter((index) => story.kind !== 'cut' || STREAMS[index]!.cri);
      const stream = random.one(choice);
      queues[stream]!.push(...linesOf(story, STREAMS[stream]!));
      if (story.joins) joins.push(...story.expected.map(({ number }) => number));
    }
    const lines: string[] = [];
    for (let open = queues.filter((queue) => queue.length > 0); open.length > 0;) {
      lines.push(random.one(open).shift()!);
      open = open.filter((queue) => queue.length > 0);
    }
    return { text: lines.join(''), lines: lines.length, joins };
  }

  /** One story line by line, in a stream in which `aside` writes nothing: for whoever wants to stop in the middle of it. */
  tell(kind: Kind): { story: Story; lines: string[] } {
    const story = this.story(kind);
    const stream = STREAMS.at(story.kind === 'cut' ? -1 : this.#random.between(1, STREAMS.length - 1))!;
    return { story, lines: linesOf(story, stream) };
  }

  /** A step of somebody else. */
  aside(): string {
    return linesOf(this.story('step'), STREAMS[0]!).join('');
  }

  story(kind: Kind): Story {
    const story = makeStory(kind, () => numberOf(++this.#last), this.#random);
    for (const expected of story.expected) this.expected.set(expected.number, expected);
    this.lines += story.lines.length;
    return story;
  }

  /** How many rows a sink has to have, dead letters among them. */
  count(wanted: (expected: Expected) => boolean): number {
    let count = 0;
    for (const expected of this.expected.values()) if (wanted(expected)) count += 1;
    return count;
  }
}

function linesOf({ lines }: Story, { prefix, cri }: Stream): string[] {
  return lines.map(({ text, partial }: Line) => {
    const before = partial === true && cri ? prefix.replace(/F $/, 'P ') : prefix;
    return `${before}${text}\n`;
  });
}

/** The number in a stored text. */
export function numberIn(text: string): string | undefined {
  return NUMBER.exec(text)?.[0];
}
