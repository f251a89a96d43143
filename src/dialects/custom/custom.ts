import type { Observer } from '../../observer.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { PrivacyOptions } from '../../privacy/rules.ts';
import { withRules } from '../../privacy/with-rules.ts';
import type { Emit, Line } from '../dialect.ts';
import type { Times } from '../when.ts';
import { composeEvent } from './compose.ts';
import type { CustomEvent } from './event.ts';
import type { CustomEvents } from './index.ts';
import { readEvent } from './read.ts';

const CONSTANT = "constant (the event's)";

/** Lines that a user described. */
export class Custom {
  readonly #custom: CustomEvents;
  readonly #options: PrivacyOptions;
  readonly #pipeline: Privacy;
  readonly #times: Times;
  readonly #emit: Emit;
  /** Made at the first line of the event: sources are many, and most have few events. */
  readonly #privacies = new Map<CustomEvent, Privacy>();

  /** `options` and `privacy`: the pipeline's. */
  constructor(custom: CustomEvents, options: PrivacyOptions, privacy: Privacy, times: Times, emit: Emit) {
    this.#custom = custom;
    this.#options = options;
    this.#pipeline = privacy;
    this.#times = times;
    this.#emit = emit;
  }

  /** The name of the event that text which is no JSON says it is. */
  claims(text: string): string | undefined {
    return this.#custom.events.find(({ match }) => match.claims(text))?.name;
  }

  /** True when the object is one of the events: then it is done, as an event or as a rejection. */
  take(value: Record<string, unknown>, text: string, line: Line, wrapped: boolean): boolean {
    const { matches, labels } = this.#custom;
    const event = matches.find(value);
    if (event === undefined) return false;
    const privacy = this.#privacyOf(event);
    if (privacy.tell !== undefined) tellEvent(event, privacy.tell);
    const said = readEvent(event, value, text, line, this.#times, privacy, wrapped);
    if (typeof said === 'string') {
      this.#emit.reject('schema', `${event.name}: ${said}`, 'custom', line);
      return true;
    }
    const { table, row, tuple, duration } = composeEvent(event, said, line.lines, line.origin, labels, privacy);
    this.#emit.event(table, row, tuple, duration, line.lines);
    return true;
  }

  #privacyOf(event: CustomEvent): Privacy {
    let privacy = this.#privacies.get(event);
    if (privacy === undefined) {
      privacy = withRules([event.privacy], this.#options, this.#pipeline);
      this.#privacies.set(event, privacy);
    }
    return privacy;
  }
}

function tellEvent({ name, kind, match, fields, labels }: CustomEvent, tell: Observer): void {
  tell.note('dialect', `has what events.${name}.match asks for`, 'custom');
  for (const { key } of match.pairs) tell.note('dialect', 'is as the pipeline wants it', key.name);
  for (const { column, key } of fields) tell.from(column, key === undefined ? CONSTANT : { key: key.name });
  tell.from('step_raw', { key: fields.find(({ column }) => column === 'step')?.key?.name ?? 'step' });
  tell.from('ts_start', 'ts less wall_time_s');
  tell.from('attributes', 'line: every other key');
  if (kind === 'step' && !fields.some(({ column }) => column === 'step')) tell.from('step', 'name of the event');
  if (!fields.some(({ column }) => column === 'event')) tell.from('event', 'name of the event');
  for (const { label, key } of labels) tell.note('rule', `becomes the label ${label} of the histogram`, key.name);
}
