import { expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { stepRow } from '../support/rows.ts';
import { HOLD_MS, onCourse, type Course } from './course.ts';
import { startElasticsearchBench, type ElasticsearchBench, type Refused } from './elasticsearch-bench.ts';
import { httpCases, type HttpSinkContract, type Trouble } from './http-contract.ts';
import { CANARY, closes, discreet, giveRecords, runCases, sinkCases, storedOnce } from './sink-contract.ts';

const REFUSED: Refused = { status: 400, type: 'document_parsing_exception' };

const contract: HttpSinkContract = {
  name: 'elasticsearch',
  start: () => startElasticsearchBench(),
  malformed: 'retrying',
  poison(bench, step) {
    (bench as ElasticsearchBench).backend.verdict = (each) => (each === step ? REFUSED : undefined);
  },
  poisonCode: REFUSED.type,
};

const { status } = HTTP_FAULTS;

const torn = (title: string, body: string): Trouble[] =>
  [false, true].map((stored) => ({
    title: `says 200 with ${title}${stored ? ', having stored the rows' : ''}`,
    ends: 'retrying',
    code: /^BAD_ANSWER$/,
    fault: () => status({ status: 200, body }, stored),
  }));

runCases('elasticsearch', [
  ...sinkCases(contract),
  ...httpCases(contract, [
    ...torn('half an answer', `{"took":3,"errors":true,"items":[{"create":{"_id":"${CANARY}"`),
    ...torn('half a good answer', '{"took":3,"errors":false,"items":[{"create":{"_id":"a"'),
    ...torn('a page of a proxy', `<html>${CANARY}</html>`),
    ...torn('an answer about fewer rows', '{"took":3,"errors":true,"items":[]}'),
    ...torn('nothing', ''),
  ]),
]);

async function on(run: (bench: ElasticsearchBench, course: Course) => Promise<void>): Promise<void> {
  await onCourse(startElasticsearchBench, run);
}

test('elasticsearch: of a mixed answer each row has its own fate, and no row that is stored goes out again', async () => {
  await on(async (bench, course) => {
    const { backend } = bench;
    let busy = 3;
    backend.headers['retry-after'] = '5';
    backend.verdict = (step) => {
      if (step === 'bad') return REFUSED;
      return step.startsWith('busy') && busy > 0 ? { status: 429, type: 'es_rejected_execution_exception' } : undefined;
    };
    const steps = ['good-1', 'busy-1', 'bad', 'good-2', 'busy-2', 'good-3'];
    await course.give({ steps: steps.map((step) => stepRow({ step, task: CANARY })) });
    course.begin();
    await course.failed(1);
    expect(course.lane.pending()).toBe(2);
    closes(course);
    busy = 0;
    await course.finish();

    const src = course.spool.src;
    const [first, ...later] = backend.answered.map((each) =>
      [...each].map(([id, code]) => [id.slice(src.length), code]),
    );
    const rows = [201, 429, 400, 201, 429, 201];
    expect(first).toEqual(rows.map((code, row) => [`-1-${row}`, code]));
    for (const each of later) expect(each.map(([id]) => id)).toEqual(['-1-1', '-1-4']);
    expect(later.at(-1)).toEqual([
      ['-1-1', 201],
      ['-1-4', 201],
    ]);
    for (const pause of course.clock.slept) expect(pause).toBeGreaterThanOrEqual(5_000);
    expect(course.counted.totals()).toEqual({ ...NO_TOTALS, accepted: 6, stored: 5, dead_lettered: 1 });
    const letters = await course.deadLetters();
    expect(letters).toMatchObject([{ code: REFUSED.type, row: `${src}-1-2` }]);
    discreet([letters[0]!.detail, ...course.said]);
    expect(course.said[0]).toBe('2 rows were refused for now');
  });
});

test('elasticsearch: a row that this user may not write holds its part; nothing is dropped, and afterwards nothing is there twice', async () => {
  await on(async (bench, course) => {
    let blocked = true;
    bench.backend.verdict = (step) => {
      if (step === 'bad') return REFUSED;
      return step === 'blocked' && blocked ? { status: 403, type: 'cluster_block_exception' } : undefined;
    };
    const steps = ['good-1', 'blocked', 'bad', 'good-2'];
    await course.give({ steps: steps.map((step) => stepRow({ step })) });
    course.begin();
    await course.failed(3);
    expect(course.lane.state.state).toBe('holding');
    expect(course.lane.state.reason).toContain('403');
    expect(course.counted.totals()).toEqual({ ...NO_TOTALS, accepted: 4, stored: 0, dead_lettered: 0 });
    for (const pause of course.clock.slept) expect(pause).toBe(HOLD_MS);
    blocked = false;
    await course.finish();
    expect([...bench.backend.answered.at(-1)!.values()]).toEqual([409, 201, 400, 409]);
    expect(await bench.stored()).toEqual(
      new Map([
        ['good-1', 1],
        ['good-2', 1],
        ['blocked', 1],
      ]),
    );
    expect(course.counted.totals()).toEqual({ ...NO_TOTALS, accepted: 4, stored: 3, dead_lettered: 1 });
    expect(await course.deadLetters()).toMatchObject([{ code: REFUSED.type }]);
    expect(course.states.map(({ state }) => state)).toEqual(['running', 'holding', 'running', 'stopped']);
  });
});

test('elasticsearch: what somebody else has stored under the same ids counts as stored', async () => {
  await on(async (bench, course) => {
    const named = await giveRecords(course, 1);
    bench.backend.documents.set(`${course.spool.src}-1-0`, 'steps-1-0');
    await course.finish();
    await storedOnce(bench, course, named);
    expect([...bench.backend.answered[0]!.values()]).toEqual([409, 201, 201]);
  });
});

test('elasticsearch: a body past the limit of the cluster makes later bodies smaller, not later rows fewer', async () => {
  await on(async (bench, course) => {
    bench.server.fault = HTTP_FAULTS.tooLarge(20_000);
    const named = await giveRecords(course, 2, 'x'.repeat(4_000));
    course.begin();
    await course.finish();
    await storedOnce(bench, course, named);
    const before = bench.server.brought.length;
    expect(before).toBeLessThan(20);
  });
});
