import { once } from 'node:events';
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { didYouMean } from '../config/suggest.ts';
import { UsageError } from '../errors.ts';
import { compileExpression, ExpressionError } from '../expression/index.ts';
import { EVENT_TABLES, FIELDS, IDENTITY } from '../fields.ts';
import { secretFile } from '../listening/secret.ts';
import type { Target } from '../live/attach.ts';
import { follow, NotAttached } from '../live/follow.ts';
import { eventLine, type Row } from '../live/line.ts';
import { tailSocket } from '../state/tail-socket.ts';
import { paintFor } from '../terminal/paint.ts';
import { clean, width } from '../terminal/text.ts';
import { list, placeOptions, type PlaceFlags } from './options.ts';
import { leave } from './reader.ts';
import { settingsOf } from './settings.ts';
import { NO_STATE } from './state.ts';

interface TailFlags extends PlaceFlags {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly filter?: string;
  readonly table?: string;
  readonly json?: boolean;
}

export function tailCommand(): Command {
  const command = new Command('tail');
  for (const option of placeOptions()) command.addOption(option);
  return command
    .description('Show the events of a run as they are stored, also through its restarts.')
    .addOption(
      new Option('--url <url>', 'of a run somewhere else: the address of its metrics, which has /events beside them'),
    )
    .addOption(new Option('--token-file <file>', 'a file with the token that its /metrics is told for'))
    .addOption(new Option('--filter <expression>', 'only events of which it holds (default: all)'))
    .addOption(new Option('--table <names>', `only these of ${EVENT_TABLES.join(', ')} (default: all)`))
    .addOption(new Option('--json', 'the rows themselves, one a line, with _src, _seq and _i'))
    .addHelpText('after', HELP)
    .action(async (flags: TailFlags) => leave(await tail(flags)));
}

const HELP = `
A filter compares fields: = != < <= > >= ~ (a regular expression), in (a, b),
a field alone (it is there), not, and, or, parentheses. Fields of maps have a
point: labels.team, attributes.loss. Durations are seconds: 200ms, 1.5s, 2m.
component:prop* is = with a wildcard. A field that is missing fits nothing but
!=. Times are UTC. What is read too slowly is passed over, and said.

With --json rows go through jq; a run somewhere else is --url http://HOST:9464.

Examples:
  steptap tail --filter 'status = error or level in (ERROR, FATAL)'
  steptap tail --table steps --filter 'wall_time_s > 2m and task ~ "^train"'`;

/** Resolves with the exit code. */
async function tail(flags: TailFlags): Promise<number> {
  const { stdout, stderr } = process;
  if (flags.filter !== undefined) checkFilter(flags.filter);
  const target = targetOf(flags);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const paint = paintFor(stdout);
  let day = new Date().toISOString().slice(0, 10);
  const lines = (json: string, row: Row): string => {
    if (flags.json === true) return `${json}\n`;
    if (!stdout.isTTY) return `${eventLine(row, { columns: Number.POSITIVE_INFINITY, paint, dates: true })}\n`;
    const today = String(row['ts']).slice(0, 10);
    const heading = today === day ? '' : `${paint('dim', `-- ${clean(today)}`)}\n`;
    day = today;
    // In the last column some terminals are in the next line already.
    return `${heading}${eventLine(row, { columns: (stdout.columns || 80) - 1, paint, dates: false })}\n`;
  };
  const show = async (json: string, row: Row): Promise<void> => {
    if (!stdout.write(lines(json, row))) await once(stdout, 'drain', { signal: stop.signal }).catch(() => {});
  };
  const say = (text: string, gap?: 'gap'): void => {
    const colour = gap === undefined ? 'dim' : 'yellow';
    stderr.write(`${paintFor(stderr)(colour, `steptap: ${clean(text)}`)}\n`);
  };
  try {
    await follow(target, { clock: systemClock, stop: stop.signal, show, say });
    return 0;
  } catch (error) {
    if (!(error instanceof NotAttached)) throw error;
    return refused(error, target, flags);
  }
}

/** Throws a UsageError with the place marked; says which fields no event has. */
function checkFilter(text: string): void {
  try {
    const filter = compileExpression(text);
    const known = [...FIELDS, ...IDENTITY].map(({ name }) => name);
    const odd = filter.fields.find((field) => !known.includes(field.split('.', 1)[0]!));
    if (odd !== undefined) {
      process.stderr.write(`steptap: --filter: no event has a field ${clean(odd)}${didYouMean(odd, known)}\n`);
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const column = error.column - 1;
    // Of a long one what is around the place.
    const from = Math.max(0, column - 50);
    const shown = clean(text.slice(from, column + 25));
    const caret = ' '.repeat(width(clean(text.slice(from, column))));
    throw new UsageError(`--filter: ${clean(error.message)}\n\n  ${shown}\n  ${caret}^`, { cause: error });
  }
}

function targetOf(flags: TailFlags): Target {
  const query = new URLSearchParams();
  // As it was written: in its one spelling it may be longer than what is read.
  if (flags.filter !== undefined) query.set('filter', flags.filter);
  const tables = flags.table === undefined ? [] : list(flags.table);
  const wrong = tables.find((name) => !EVENT_TABLES.some((table) => table === name));
  if (wrong !== undefined) throw new UsageError(`--table ${wrong}: there are ${EVENT_TABLES.join(', ')}`);
  if (tables.length > 0) query.set('table', tables.join(','));
  if (flags.url === undefined) {
    if (flags.tokenFile !== undefined) throw new UsageError('--token-file: is for --url');
    const { state } = settingsOf(flags);
    if (state === NO_STATE) throw new UsageError('--state none: name the address of its metrics with --url');
    return { url: new URL(`http://localhost/events?${String(query)}`), socketPath: tailSocket(state) };
  }
  if (flags.state !== undefined) throw new UsageError('--url: is of a run somewhere else; leave --state out');
  const url = URL.canParse(flags.url) ? new URL(flags.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--url ${flags.url}: write http://HOST:PORT`);
  url.pathname = `${url.pathname.replace(/\/(?:events|metrics)?$/, '')}/events`;
  url.search = String(query);
  const found = flags.tokenFile === undefined ? undefined : secretFile(flags.tokenFile);
  if (typeof found === 'string') throw new UsageError(`--token-file ${flags.tokenFile}: ${found}`);
  return { url, token: found?.[0]?.toString() };
}

/** Says why nothing is shown. */
function refused({ answer }: NotAttached, { url, socketPath }: Target, flags: TailFlags): number {
  const where = socketPath === undefined ? `--url ${url.origin}` : `--state ${settingsOf(flags).state}`;
  if ('absent' in answer) {
    const nobody = answer.absent === 'ENOENT' || answer.absent === 'ECONNREFUSED';
    const why = nobody ? 'no run is there; start one, or name another' : `cannot be reached (${answer.absent})`;
    process.stderr.write(`steptap: ${where}: ${clean(why)}\n`);
    return 1;
  }
  const { status, text } = answer;
  if (status === 503) {
    process.stderr.write(`steptap: ${where}: ${clean(text)}\n`);
    return 1;
  }
  const advice =
    status === 404
      ? 'there is no /events: the pipeline of that run has to say events: true'
      : clean(`HTTP ${status}: ${text}`);
  throw new UsageError(`${where}: ${advice}`);
}
