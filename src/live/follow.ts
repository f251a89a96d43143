import type { Clock } from '../clock.ts';
import { attach, type Attached, type Target } from './attach.ts';
import type { Row } from './line.ts';
import type { Message } from './messages.ts';

export interface Following {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** One event; the stream goes on when it resolves. */
  readonly show: (json: string, row: Row) => Promise<void>;
  /** Something about the stream that a person should know. */
  readonly say: (text: string, gap?: 'gap') => void;
}

/** Why nothing was shown: nobody is there, or who is there will not. */
export class NotAttached extends Error {
  override readonly name = 'NotAttached';
  readonly answer: Exclude<Attached, { messages: unknown }>;

  constructor(answer: Exclude<Attached, { messages: unknown }>) {
    super('not attached');
    this.answer = answer;
  }
}

const AGAIN_MS = 1_000;
const TELL_MS = 2_000;
/** Too many are reading, or it is just starting. */
const BUSY = 503;

/** Shows the events of a run until `stop` aborts, also those of the run that takes its place. Rejects with a NotAttached when there is none to begin with, or it refuses. */
export async function follow(target: Target, { clock, stop, show, say }: Following): Promise<void> {
  let begun = false;
  let missed = 0;
  let told = Number.NEGATIVE_INFINITY;
  while (!stop.aborted) {
    const attached = await attach(target, stop);
    if (stop.aborted) return;
    if ('messages' in attached) {
      const ended = await showAll(attached.messages, begun);
      begun = true;
      tell(0);
      const what = ended ? 'the run has ended' : 'the connection is lost';
      if (!stop.aborted) say(`${what}: waiting for it to come back, Ctrl-C ends`, 'gap');
    } else if (!begun || ('status' in attached && attached.status !== BUSY)) throw new NotAttached(attached);
    await clock.sleep(AGAIN_MS, stop);
  }

  async function showAll(messages: AsyncIterable<Message>, again: boolean): Promise<boolean> {
    for await (const { event, data } of messages) {
      if (stop.aborted) return true;
      const said = objectOf(data);
      if (event === 'end') {
        if (said['cut'] === true) say('the last events before the end were not shown', 'gap');
        return true;
      }
      if (event === 'hello') {
        const after = String(said['after']);
        if (again) say(`attached again, behind record ${after}: what was stored in between was not shown`, 'gap');
        else say(`watching, behind record ${after}`);
      } else if (event === 'dropped') missed += Number(said['count']);
      else await show(data, said);
      tell(TELL_MS);
    }
    return false;
  }

  /** In a fast stream there are gaps all the time: they are told together. */
  function tell(after_ms: number): void {
    if (missed === 0 || clock.monotonic() - told < after_ms) return;
    told = clock.monotonic();
    say(`${missed.toLocaleString('en-GB')} events were passed over: more came than were looked at`, 'gap');
    missed = 0;
  }
}

/** What a message holds. Throws a NotAttached for what no run sends: an address may be anybody's. */
function objectOf(data: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    // Said below.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  throw new NotAttached({ status: 200, text: 'what it sends are no events of steptap' });
}
