import { expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { SinkError, STORED, type Part } from '../../src/sinks/sink.ts';
import {
  batchOf,
  gap,
  hold,
  inTurn,
  never,
  Plant,
  poison,
  retry,
  ScriptedSink,
  stepsOf,
  type Rig,
} from './scripted.ts';
import { timeout, TokenServer, type Act } from './servers.ts';

const nothing = (): boolean => false;

interface Course {
  readonly server: TokenServer;
  readonly rig: Rig;
  /** What was sent: the end of its token, and the rows that were not settled. */
  readonly sent: string[];
  readonly told: { readonly duplicated: number[]; readonly unconfirmed: number[]; readonly said: string[] };
}

/** One record of these steps, on its way into a server that does so with each insert. */
async function deliver(
  steps: readonly string[],
  acts: readonly Act[],
  change: (server: TokenServer) => void = () => {},
): Promise<Course> {
  const plant = new Plant();
  const server = new TokenServer();
  server.acts = [...acts];
  change(server);
  const sink = server.sink(undefined);
  const sent: string[] = [];
  const told = { duplicated: [] as number[], unconfirmed: [] as number[], said: [] as string[] };
  const rig = plant.lane(
    {
      ...sink,
      send: async (part, signal) => {
        const rows = stepsOf(part).filter((_, row) => part.settled?.[row] !== 1);
        sent.push(`${part.token.slice(plant.spool.src.length)} ${rows.join('')}`);
        return sink.send(part, signal);
      },
    },
    { log: (message, rows) => told.said.push(`${rows}: ${message}`) },
    { duplicated: (rows) => told.duplicated.push(rows), unconfirmed: (rows) => told.unconfirmed.push(rows) },
  );
  await plant.spool.append(batchOf(steps));
  plant.spool.end();
  await rig.lane.run(never);
  expect(gap(rig)).toBe(0);
  return { server, rig, sent, told };
}

const once = (server: TokenServer): number[] => [...server.rows.values()];

test('a part in doubt of which all rows are there is stored, and is not sent again', async () => {
  const { server, rig, sent } = await deliver(['a', 'b', 'c'], [{ answers: timeout() }]);
  expect(sent).toEqual(['-1-1 abc']);
  expect(once(server)).toEqual([1, 1, 1]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 3, stored: 3 });
});

test('a part in doubt of which nothing is there is sent again under its token, and looked for once more', async () => {
  const { server, sent } = await deliver(['a', 'b'], [{ stores: nothing, knows: false, answers: timeout() }]);
  expect(sent).toEqual(['-1-1 ab', '-1-1 ab']);
  expect(server.found).toBe(2);
  expect(once(server)).toEqual([1, 1]);
});

test('rows that a server has lost, though it knows their token, get a token of their own', async () => {
  const { server, sent, rig } = await deliver(['a', 'b'], [{ stores: nothing, answers: timeout() }]);
  // The second one is answered with OK, and dropped as a duplicate.
  expect(sent).toEqual(['-1-1 ab', '-1-1 ab', '-1-1r1 ab']);
  expect(once(server)).toEqual([1, 1]);
  expect(rig.totals().stored).toBe(2);
});

test('of a part that is there in part, only the missing rows are sent, and they are the same bytes', async () => {
  const parts: Part[] = [];
  const plant = new Plant();
  const server = new TokenServer();
  server.acts = [{ stores: (place) => place !== 1 && place !== 3, answers: timeout() }];
  const sink = server.sink(undefined);
  const rig = plant.lane({
    ...sink,
    send: (part, signal) => {
      parts.push(part);
      return sink.send(part, signal);
    },
  });
  await plant.spool.append(batchOf(['a', 'b']));
  await plant.spool.append(batchOf(['c', 'd']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(parts.map(({ token }) => token.slice(plant.spool.src.length))).toEqual(['-1-2', '-1-2r1']);
  expect(parts.map(({ settled: bits }) => bits && [...bits])).toEqual([undefined, [1, 0, 1, 0]]);
  expect(parts[1]!.slices).toEqual(parts[0]!.slices);
  expect(once(server)).toEqual([1, 1, 1, 1]);
  expect([rig.totals().stored, gap(rig)]).toEqual([4, 0]);
});

test('a repair of which the outcome is unknown is looked for, and sent again under its own token', async () => {
  const lost = { stores: nothing, knows: false, answers: timeout() };
  const half: Act = { stores: (place) => place === 0, answers: timeout() };
  const { server, sent } = await deliver(['a', 'b', 'c'], [half, lost, lost, lost, half]);
  // However often it times out, it is not taken for tried.
  expect(sent).toEqual(['-1-1 abc', '-1-1r1 bc', '-1-1r1 bc', '-1-1r1 bc', '-1-1r1 bc', '-1-1r2 c']);
  expect(once(server)).toEqual([1, 1, 1]);
});

test('rows that may not show yet are only sent under the token that they have', async () => {
  for (const stores of [nothing, (place: number) => place === 0]) {
    const { server, sent, rig, told } = await deliver(
      ['a', 'b'],
      [{ stores, knows: false, answers: timeout() }],
      (it) => {
        it.lags = true;
        it.hidden = () => true;
      },
    );
    expect(sent).toEqual(['-1-1 ab', '-1-1 ab']);
    expect(server.found).toBe(1);
    expect(rig.totals().stored).toBe(2);
    expect(told.unconfirmed).toEqual([]);
  }
});

test('rows that the sink has twice are counted once, and told', async () => {
  const half: Act = { stores: (place) => place < 2, answers: timeout() };
  const { told, rig, sent } = await deliver(['a', 'b', 'c'], [half, { stores: nothing, answers: timeout() }], (it) => {
    const find = it.find.bind(it);
    it.find = (part) => {
      const found = find(part);
      return { ...found, copies: found.copies.map((count, row) => (row === 0 && count > 0 ? 2 : count)) };
    };
  });
  expect(sent).toEqual(['-1-1 abc', '-1-1r1 c', '-1-1r1 c', '-1-1r2 c']);
  expect(told.duplicated).toEqual([1]);
  expect(told.said).toEqual([expect.stringContaining('1: the sink has rows twice')]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 3, stored: 3 });
});

test('while the sink cannot be asked, nothing is sent: it is tried again, or held', async () => {
  const { sent, rig, server } = await deliver(['a', 'b'], [{ answers: timeout() }], (it) => {
    it.unanswered.push(retry('BUSY'), hold('DENIED'), poison());
  });
  expect(sent).toEqual(['-1-1 ab']);
  expect(server.found).toBe(4);
  expect(rig.states.map(({ state, reason }) => `${state} ${reason ?? ''}`.trim())).toEqual([
    'running',
    'retrying said TIMEOUT',
    'holding said DENIED',
    // Whatever is wrong with the question: no row is to blame.
    'holding a row does not fit',
    'running',
    'stopped',
  ]);
  expect(rig.counts).toEqual({ splits: 0, retried: ['TIMEOUT', 'BUSY', 'DENIED', '27'] });
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 2, stored: 2 });
});

test('rows that a sink takes and never shows count as stored after two repairs, and are told', async () => {
  const { sent, told, rig } = await deliver(['a', 'b'], [{ answers: timeout() }], (it) => {
    it.hidden = () => true;
  });
  expect(sent).toEqual(['-1-1 ab', '-1-1 ab', '-1-1r1 ab', '-1-1r2 ab']);
  expect(told.unconfirmed).toEqual([2]);
  expect(told.said).toEqual([expect.stringContaining('2: the sink took rows and does not show them')]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 2, stored: 2 });
});

test('a sink that gives back some more with each repair is repaired as long as it does', async () => {
  const one: Act = { stores: (place) => place === 0, answers: timeout() };
  const { sent, told, server } = await deliver(['a', 'b', 'c', 'd', 'e'], [one, one, one, one]);
  expect(sent).toEqual(['-1-1 abcde', '-1-1r1 bcde', '-1-1r2 cde', '-1-1r3 de', '-1-1r4 e']);
  expect(told.unconfirmed).toEqual([]);
  expect(once(server)).toEqual([1, 1, 1, 1, 1]);
});

test('a part that is refused while it is in doubt is looked for before it is halved, and only what is missing goes on', async () => {
  const { sent, server, rig } = await deliver(['a', 'b', 'p', 'c'], [], (it) => {
    // A view refuses the row; the table has taken two others.
    const insert = it.insert.bind(it);
    let first = true;
    it.insert = (part) => {
      if (!first) return insert(part);
      first = false;
      for (const row of [0, 3]) it.rows.set(`${part.slices[0]!.record.src}-1-${row}`, 1);
      throw poison();
    };
  });
  expect(sent).toEqual(['-1-1 abpc', '-1-1/0-1r1 b', '-1-1/2-3r1 p', '-1-1/2-2 p']);
  expect(once(server)).toEqual([1, 1, 1]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 4, stored: 3, dead_lettered: 1 });
});

test('a single row that is refused and there all the same is stored, and one that is not is a dead letter', async () => {
  for (const there of [true, false]) {
    const { sent, rig } = await deliver(['p'], [], (it) => {
      const insert = it.insert.bind(it);
      it.insert = (part) => {
        if (there) it.rows.set(`${part.slices[0]!.record.src}-1-0`, 1);
        return insert(part);
      };
    });
    expect(sent).toEqual(['-1-1 p']);
    expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 1, stored: there ? 1 : 0, dead_lettered: there ? 0 : 1 });
  }
});

test('a row that is poison while its part is in doubt is looked for between two tries, and then it is a dead letter', async () => {
  const { sent, server, rig } = await deliver(['p'], [], (it) => {
    const insert = it.insert.bind(it);
    let first = true;
    it.insert = (part) => {
      if (!first) return insert(part);
      first = false;
      throw timeout();
    };
  });
  expect(sent).toEqual(['-1-1 p', '-1-1 p']);
  expect(server.found).toBe(2);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 1, dead_lettered: 1 });
});

test('rows that are settled are not missed, and not sent again', async () => {
  const plant = new Plant();
  const asked: number[][] = [];
  const sent: (number[] | undefined)[] = [];
  const answers = [{ rejected: [{ row: 1, code: 'c', detail: 'd' }], again: [2, 3] }, timeout(), STORED];
  const rig = plant.lane({
    ...new TokenServer().sink(undefined),
    async send(part) {
      sent.push(part.settled && [...part.settled]);
      const answer = answers.shift()!;
      if (answer instanceof SinkError) throw answer;
      return answer;
    },
    async find(part) {
      asked.push([...part.settled!]);
      // Row 1 is a dead letter, row 2 came through.
      return { copies: Uint8Array.of(1, 0, 1, asked.length > 1 ? 1 : 0), lags: false };
    },
  });
  await plant.spool.append(batchOf(['a', 'b', 'c', 'd']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(sent).toEqual([undefined, [1, 1, 0, 0], [1, 1, 1, 0]]);
  expect(asked).toEqual([
    [1, 1, 0, 0],
    [1, 1, 1, 0],
  ]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 4, stored: 3, dead_lettered: 1 });
});

test('a sink that cannot be asked is sent the same part again, as before', async () => {
  const plant = new Plant();
  const sink = new ScriptedSink(inTurn([timeout()]));
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(sink.sent.map(({ in_doubt }) => in_doubt)).toEqual([false, true]);
  expect(new Set(sink.sent.map(({ token }) => token)).size).toBe(1);
});
