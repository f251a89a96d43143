import { setTimeout as sleep } from 'node:timers/promises';
import { answerOf, type Answer, type Ask, type Ending, type Exchange, type Treatment } from './exchange.ts';
import type { Random } from './random.ts';

/*
 * What goes wrong between steptap and ClickHouse. Behind all of it is the real engine: a fault only decides whether it gets to see the INSERT, and what is
 * heard of it. Three faults stand for what the engine does too seldom to wait for it:
 *
 *   part     it stores the first half of the rows under the token and breaks the connection (an INSERT of more than one block)
 *   amnesia  it remembers the token and has lost the rows (a kill between the deduplication log and the part, 2 of 741 in our own trials)
 *   doubt    it answers 200 and an exception behind it, which says nothing about the rows
 */

export type ClickHouseFault =
  | 'pass'
  | 'slow'
  | `${'500' | '503' | 'reset' | 'plain exception' | 'exception block' | 'hang'} ${'before' | 'after'} commit`
  | 'cut answer'
  | 'part'
  | 'amnesia';

const OF_INSERTS: Readonly<Record<ClickHouseFault, number>> = {
  pass: 0,
  slow: 4,
  '500 before commit': 3,
  '500 after commit': 4,
  '503 before commit': 2,
  '503 after commit': 2,
  'reset before commit': 3,
  'reset after commit': 4,
  'plain exception before commit': 3,
  'plain exception after commit': 3,
  'exception block before commit': 3,
  'exception block after commit': 3,
  'hang before commit': 1,
  'hang after commit': 1,
  'cut answer': 3,
  part: 2,
  amnesia: 2,
};

const OF_QUESTIONS: Readonly<Partial<Record<ClickHouseFault, number>>> = {
  pass: 0,
  slow: 2,
  '500 after commit': 2,
  'reset before commit': 2,
  'cut answer': 3,
  'plain exception after commit': 1,
  'exception block after commit': 1,
};

const MEMORY =
  'Code: 241. DB::Exception: Memory limit (total) exceeded: would use 4.00 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.7.2.1 (official build))\n';
const TAG = 'abcdefghijklmnop';
const BLOCK = `\r\n__exception__\r\n${TAG}\r\n${MEMORY}${MEMORY.length} ${TAG}\r\n__exception__\r\n`;

export function kindOfQuery(_method: string, url: URL, body: Buffer): string {
  const query = url.searchParams.get('query') ?? body.toString('latin1', 0, 4096);
  const table = /^INSERT INTO `?[^.]*`?\.?`(\w+)`/.exec(query)?.[1];
  if (query.startsWith('INSERT')) {
    const token = url.searchParams.get('insert_deduplication_token') ?? '';
    const half = /\/\d+-\d+(?:r\d+)?$/.test(token) ? 'half ' : '';
    return `insert ${half}${/r\d+$/.test(token) ? 'repair ' : ''}${table ?? ''}`;
  }
  if (query.startsWith('KILL')) return 'kill';
  if (query.includes('system.processes')) return 'processes';
  return query.includes('GROUP BY _seq, _i') ? 'count' : 'other';
}

export interface ClickHousePlan {
  readonly random: Random;
  /** How many of a hundred INSERTs meet a fault; of questions it is less. */
  rate: () => number;
  readonly count: (fault: string) => void;
  /** What the next INSERT is to meet, whatever the plan says. */
  readonly forced: () => ClickHouseFault | undefined;
}

export function clickhouseFaults({ random, rate, count, forced }: ClickHousePlan): Treatment {
  /** Tokens that the server will take for known. */
  const known = new Set<string>();
  return async (exchange, ask) => {
    const insert = exchange.what.startsWith('insert');
    const weights = insert ? OF_INSERTS : OF_QUESTIONS;
    // A start asks a dozen questions one after the other, and begins anew when one of them fails.
    const share = insert ? 1 : exchange.what === 'other' ? 0.1 : 0.4;
    const faulty = random.chance((rate() * share) / 100);
    const drawn = faulty ? random.weighted<ClickHouseFault>(weights) : 'pass';
    // An engine does not lose the same rows three times over.
    const planned = exchange.what.includes('repair') && /part|amnesia/.test(drawn) ? 'reset before commit' : drawn;
    const fault = (insert ? forced() : undefined) ?? planned;
    const delay = random.between(20, 400);
    if (rate() > 0) count(fault);
    const key = `${exchange.what.split(' ').at(-1)} ${exchange.url.searchParams.get('insert_deduplication_token')}`;
    if (insert && known.has(key)) return answerOf(200, '');
    if (fault === 'slow') await sleep(delay);
    if (fault === 'amnesia') {
      known.add(key);
      return 'reset';
    }
    if (fault === 'part') return part(exchange, ask);
    if (!fault.endsWith('before commit')) {
      const answer = await ask();
      // What the engine itself refuses is told as it is: a poison row is no fault of the network.
      if (answer.status !== 200 && insert) return answer;
    }
    return endingOf(fault);
  };
}

function endingOf(fault: ClickHouseFault): Ending {
  const kind = fault.replace(/ (?:before|after) commit$/, '');
  const endings: Readonly<Record<string, Ending>> = {
    reset: 'reset',
    hang: 'hang',
    'cut answer': 'half',
    '500': answerOf(500, 'Internal Server Error'),
    '503': answerOf(503, '<html>upstream is not there</html>'),
    'plain exception': answerOf(200, MEMORY),
    'exception block': answerOf(200, BLOCK, { 'x-clickhouse-exception-tag': TAG }),
  };
  return endings[kind] ?? 'good';
}

async function part({ body }: Exchange, ask: Ask): Promise<Ending> {
  const half = body.indexOf(0x0a, body.length >> 1) + 1;
  const answer = await ask({ body: half > 0 && half < body.length ? body.subarray(0, half) : body });
  return answer.status === 200 ? 'reset' : answer;
}

/** The control: a ClickHouse without tokens, of which nobody can ask what it has. */
export function withoutTokens(treat: Treatment): Treatment {
  return async (exchange, ask) => {
    if (exchange.what === 'count') return answerOf(200, '\n0\t0\t0\n');
    if (!exchange.what.startsWith('insert')) return treat(exchange, ask);
    const url = new URL(exchange.url);
    url.searchParams.delete('insert_deduplication_token');
    url.searchParams.set('insert_deduplicate', '0');
    if (url.searchParams.has('deduplicate_insert')) url.searchParams.set('deduplicate_insert', 'disable');
    return treat(exchange, (change = {}): Promise<Answer> => ask({ ...change, url }));
  };
}
