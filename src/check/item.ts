/**
 * What was found: `problem`, a run would end or stand still; `warning`, it would go on, and somebody should know; `unknown`, it cannot be told from
 * here.
 */
export type CheckState = 'ok' | 'warning' | 'unknown' | 'problem';

/** One thing that `steptap check` has looked at. Nothing in it is a secret, and nothing was changed to find it out. */
export interface CheckItem {
  /** `server`, `table steps`, `directory`. */
  readonly what: string;
  /** An address without credentials, a path, a name; `''` where `what` says it. */
  readonly where: string;
  readonly state: CheckState;
  /** In words that go on after `where`. */
  readonly found: string;
  readonly todo?: string | undefined;
  /** Statements that somebody has to run so that a run works: whole, without a `;` at their end. */
  readonly statements?: readonly string[];
}

/** What was found of one part of a pipeline: `source pods`, `state`, `sink clickhouse`. */
export interface CheckPart {
  readonly part: string;
  readonly items: readonly CheckItem[];
}

/** How long all questions to one endpoint may take together. */
export const ENDPOINT_MS = 10_000;

/**
 * Aborts when the endpoint has had its time. A timer of our own, which holds the signal: one of AbortSignal.timeout that stands in AbortSignal.any alone is
 * collected as garbage, and then never fires.
 */
export function inTime(signal: AbortSignal): AbortSignal {
  const time = new AbortController();
  const stop = (): void => time.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  setTimeout(stop, ENDPOINT_MS).unref();
  return time.signal;
}

/**
 * What a sink says of a failure, in two halves: what happened, and what to do. Its message names its own address first, and means a run that tries
 * again.
 */
export function failed(message: string, where: string): Pick<CheckItem, 'found' | 'todo'> {
  const own = message.indexOf(where);
  const text = (own === -1 ? message : message.slice(own + where.length))
    .replace(/^:? /, '')
    .replace(/; tried again$/, '');
  const [, code, rest = text] = /^([A-Z0-9_ ]+(?: \([A-Z0-9_]+\))?(?:, (?:column|row) \w+)*): (.+)$/s.exec(text) ?? [];
  const colon = rest.indexOf(': ');
  const found = colon === -1 ? rest : rest.slice(0, colon);
  return {
    found: code === undefined ? found : `${found} (${code.replace(/[()]/g, '')})`,
    ...(colon === -1 ? {} : { todo: rest.slice(colon + 2) }),
  };
}
