import { createHash } from 'node:crypto';
import { joinMembers, quote } from '../../bytes.ts';
import type { TypedEvent } from '../../event-types/reader.ts';
import { elements, members } from '../../json.ts';
import type { App } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import type { Dialect, DialectTools, Line } from '../dialect.ts';
import { settle } from '../flytekit/identity.ts';
import { paramsObject } from '../flytekit/params.ts';
import { Remembered } from '../remembered.ts';
import { jsonAt } from './leaves.ts';
import { payloadsOf, type Payload, type Way } from './payload.ts';
import { readPayload, type Said } from './read.ts';
import { EVENT_TYPES } from './types.ts';

const APPS: Readonly<Record<Way, App>> = {
  webhook: { app: 'orchest', component: 'orchest-api' },
  telemetry: { app: 'orchest', component: 'telemetry' },
  analytics: { app: 'orchest', component: 'orchest-webserver' },
};

/** Events whose uuids are remembered: an Orchest makes a few an hour, and tries a delivery again for ever. */
const MOST_KNOWN = 10_000;
const UNDECLARED = 'is of a type that neither its producer nor the pipeline declares';
/** Anything else may be as long as a line, and anything of anybody: of that a digest is remembered. */
const UUID = /^[\da-f-]{36}$/i;

/**
 * What Orchest tells of itself: deliveries of its webhooks, and its telemetry. A delivery comes at least once, and an event to every webhook that wants it: an event is stored once, by
 * its uuid, for each of the two.
 */
export class Orchest implements Dialect {
  readonly name = 'orchest';
  readonly #tools: DialectTools;
  readonly #stored: Remembered;

  constructor(tools: DialectTools) {
    this.#tools = tools;
    this.#stored = new Remembered(tools.memory, 'orchest ', MOST_KNOWN);
  }

  take(value: Readonly<Record<string, unknown>>, text: string, line: Line): boolean {
    const payloads = payloadsOf(value);
    if (payloads === undefined) return false;
    const { emit, privacy, types } = this.#tools;
    if (types?.unknown === 'log' && payloads.every(({ type }) => !EVENT_TYPES.has(type) && !types.has(type)))
      return false;
    privacy.tell?.note('dialect', `has the members of Orchest's ${payloads[0]!.way}`, 'orchest');
    const { lines } = line;
    // Once for all of a batch.
    const texts = Array.isArray(value['batch']) ? elements(jsonAt(text, ['batch'])) : [text];
    payloads.forEach((payload, n) => {
      // The line is the first one's.
      line.lines = n === 0 ? lines : 0;
      const own = texts[n] ?? '';
      const said = readPayload(payload, own, line.time, this.#tools.times);
      const typed = EVENT_TYPES.has(payload.type) ? undefined : types?.read(payload.type, fieldsOf(payload, own));
      if (typeof said === 'string') emit.reject('schema', said, 'orchest', line);
      else if (typeof typed === 'string') emit.reject('schema', `${payload.type}: ${typed}`, 'orchest', line);
      else if (typed === undefined && types?.unknown === 'reject' && !EVENT_TYPES.has(payload.type)) {
        emit.reject('unknown_event', UNDECLARED, 'orchest', line);
      } else if (this.#known(payload, said)) emit.filtered('duplicate', line.lines);
      else this.#event(payload, said, line, typed);
    });
    line.lines = lines;
    return true;
  }

  claims(text: string): string | undefined {
    return /^\s*\{\s*"delivered_for"\s*:\s*\{/.test(text) ? 'a delivery of Orchest' : undefined;
  }

  /** True when it was stored before; else it is remembered. */
  #known({ way }: Payload, { uuid }: Said): boolean {
    if (uuid === '') return false;
    const name = UUID.test(uuid) ? uuid : createHash('sha256').update(uuid).digest('base64');
    const key = this.#stored.key(`${way} ${name}`);
    if (this.#stored.get(key) !== undefined) return true;
    this.#stored.put(key, '');
    return false;
  }

  #event({ way, type }: Payload, said: Said, line: Line, typed?: TypedEvent): void {
    const { emit } = this.#tools;
    const privacy = typed?.privacy ?? this.#tools.privacy;
    const { origin, lines } = line;
    const identity = settle(
      {
        execution_id: privacy.text(said.execution_id),
        workflow: privacy.text(said.workflow),
        workflow_id: said.workflow_id,
        project: privacy.text(said.project),
        task: '',
        task_project: '',
        task_domain: '',
      },
      origin,
    );
    let row = `{"ts":"${formatTime(said.when.us)}","dialect":"orchest","event":${quote(type)},"kind":"${said.kind}"`;
    if (said.status !== '') row += `,"status":"${said.status}"`;
    row += identity.fragment + origin.of(APPS[way]);
    if (said.message !== '') row += `,"message":${quote(privacy.text(said.message))}`;
    const params = said.params === '' ? '' : paramsObject(said.params, privacy);
    if (params !== '') row += `,"params":${params}`;
    const attributes = attributesOf(said, privacy, typed?.taken);
    if (attributes.length > 0) row += `,"attributes":{${joinMembers(attributes)}}`;
    if (lines !== 1) row += `,"lines":${lines}`;
    const from = said.when.from === 'line' ? '' : `ts:${said.when.from}`;
    const provenance = [from, identity.provenance].filter((part) => part !== '').join(',');
    if (provenance !== '') row += `,"provenance":"${provenance}"`;
    row += typed?.fragment ?? '';
    const { project, domain, task, workflow } = identity;
    const tuple = tupleOf({
      dialect: 'orchest',
      kind: said.kind,
      status: said.status,
      project,
      domain,
      task,
      workflow,
    });
    emit.event('events', `${row}}`, tuple, Number.NaN, lines);
  }
}

/** What a pipeline may declare of it. */
function fieldsOf({ way, path }: Payload, text: string): Map<string, string> {
  return members(jsonAt(text, way === 'telemetry' ? [...path, 'event_properties'] : path));
}

/** Under any rule that one of the keys down to a value has. `taken`: keys that are columns. */
function attributesOf({ attributes }: Said, privacy: Privacy, taken?: ReadonlySet<string>): [string, string][] {
  const stored: [string, string][] = [];
  for (const [name, { text, keys }] of attributes) {
    if (taken?.has(keys[0]!) === true) continue;
    let told = privacy.attribute(name, text);
    for (const key of keys) if (told !== undefined && privacy.marks(key)) told = privacy.keyed(key, told);
    if (told !== undefined && told !== '') stored.push([name, quote(told.toWellFormed())]);
  }
  return stored;
}
