import { members, parseObject, valueText } from '../../json.ts';
import { divideNamespace } from '../../kubernetes/flyte.ts';
import { NOWHERE, Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { Dialect, DialectTools } from '../dialect.ts';
import { LONGEST_KEPT } from '../flytekit/compose.ts';
import { settle, UNKNOWN_LINE, type Identity, type SaidIdentity } from '../flytekit/identity.ts';
import type { LogFields, Voice } from '../log/compose.ts';
import { messageFields } from './messages.ts';
import { recognised } from './recognise.ts';
import { serviceOf, serviceOfLine, SOME } from './services.ts';

/** Whom a line is about, when no line has said so for long: executions end. */
const MOST = 2_048;

/**
 * Flyte's own services: propeller, admin, scheduler, datacatalog and those of Flyte 2, in whatever way a line of theirs is written. What they say of an execution is in keys of their
 * context, and it is theirs to say: labels and names of the pod are about the service, not about the execution.
 */
export class FlyteServices implements Dialect {
  readonly name = 'flyte-services';
  readonly #privacy: Privacy;
  #identities = new Map<string, Identity>();
  /** What the pipeline says of every line, and nothing of a pod. */
  #nowhere: Origin | undefined;

  constructor({ privacy }: DialectTools) {
    this.#privacy = privacy;
  }

  says(log: LogFields, origin: Origin, written: Readonly<Record<string, unknown>> | string): Voice | undefined {
    const service = serviceOf(origin);
    const by = recognised(log, written) ?? (service === undefined ? undefined : 'the pod is one of Flyte');
    if (by === undefined) return undefined;
    const { tell } = this.#privacy;
    tell?.note('dialect', by, this.name);
    const own = this.#flattened(log.attributes);
    const named = service !== undefined && service !== SOME;
    const app = named ? service : serviceOfLine(own, typeof written === 'string' ? written : '');
    const identity = this.#identity(own, origin);
    const { attributes, error_kind } = messageFields(log.message);
    for (const [name, value] of attributes) own.set(name, value);
    if (attributes.length > 0) tell?.from('attributes', 'line: its context and its message');
    if (error_kind !== undefined) tell?.from('error_kind', 'line: message');
    // Each error may be looked for by its own time; of the others so many say the same.
    const repeats = log.level !== 'ERROR' && log.level !== 'FATAL';
    return { dialect: this.name, app, identity, error_kind, attributes: own, repeats };
  }

  /** The keys of the context beside those of the line. One that has a rule stays whole: so its name does what the rule says. */
  #flattened(attributes: ReadonlyMap<string, string>): Map<string, string> {
    const own = new Map<string, string>();
    for (const [name, value] of attributes) {
      const context = CONTEXTS.has(name) && !this.#privacy.marks(name) && parseObject(value) !== undefined;
      if (!context) own.set(name, value);
      else {
        for (const [key, json] of members(value)) {
          const said = valueText(json);
          if (said !== undefined) own.set(key, said);
        }
      }
    }
    return own;
  }

  /** Takes what the columns say out of the attributes. */
  #identity(own: Map<string, string>, { constants, rules }: Origin): Identity {
    const said: { -readonly [K in keyof SaidIdentity]: SaidIdentity[K] } = { ...UNKNOWN_LINE };
    const take = (name: string): string => {
      const value = this.#privacy.marks(name) ? '' : (own.get(name) ?? '');
      if (value !== '') own.delete(name);
      return value;
    };
    said.execution_id = take('exec_id');
    said.node_id = take('node');
    const wf = WORKFLOW.exec(own.get('wf') ?? '');
    if (wf !== null && take('wf') !== '') [, said.project, said.domain, said.workflow] = wf;
    const ns = divideNamespace(this.#privacy.marks('ns') ? '' : (own.get('ns') ?? ''), rules.domains);
    said.project = take('project') || said.project || ns.project;
    said.domain = take('domain') || said.domain || ns.domain;
    // A reconciler of Flyte 2 names its object as the pod is named.
    const [, run, action] = own.get('controller') === 'taskaction' ? (ACTION.exec(own.get('name') ?? '') ?? []) : [];
    if (run !== undefined && take('name') !== '') Object.assign(said, { execution_id: run, node_id: action });
    this.#tell();
    const key = JSON.stringify(said);
    let identity = this.#identities.get(key);
    if (identity === undefined) {
      this.#nowhere ??= new Origin(NOWHERE, constants, rules);
      if (key.length > LONGEST_KEPT) return settle(said, this.#nowhere);
      if (this.#identities.size >= MOST) this.#identities = new Map();
      identity = settle(said, this.#nowhere);
      this.#identities.set(key, identity);
    }
    return identity;
  }

  #tell(): void {
    const { tell } = this.#privacy;
    if (tell === undefined) return;
    for (const [field, key] of Object.entries(KEYS)) tell.from(field, { key });
    for (const field of ['project', 'domain']) tell.from(field, 'line: wf, ns, or a key of its own');
  }
}

/** Where the fields of the context stand: of logrus in JSON, of its formatter for Google, of zap. */
const CONTEXTS: ReadonlySet<string> = new Set(['json', 'data', 'fields']);
const KEYS = { execution_id: 'exec_id', node_id: 'node', workflow: 'wf' };
/** `project:domain:name` */
const WORKFLOW = /^([^:]+):([^:]+):(.+)$/;
/** Run and action. */
const ACTION = /^(r[a-z0-9]{19})-(.+)$/;
