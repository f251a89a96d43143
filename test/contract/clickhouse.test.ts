import { expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { HTTP_FAULTS, type Fault } from '../support/faulty-server.ts';
import { stepRow } from '../support/rows.ts';
import { refusal, startClickHouseBench, type ClickHouseBench } from './clickhouse-bench.ts';
import { Course } from './course.ts';
import { httpCases, type HttpSinkContract, type Trouble } from './http-contract.ts';
import { CANARY, giveRecords, runCases, sinkCases } from './sink-contract.ts';

const contract: HttpSinkContract = {
  name: 'clickhouse',
  start: () => startClickHouseBench(),
  malformed: 'holding',
  poison(bench, step) {
    (bench as ClickHouseBench).backend.poison = step;
  },
  poisonCode: '27',
};

const { status } = HTTP_FAULTS;
const words = (code: number): string => refusal(code, CANARY).body!;
/** As ClickHouse 25.11 and later end an answer that had begun when the exception came. */
const block = (code: number): string => {
  const text = words(code);
  return `\r\n__exception__\r\nabcdefghijklmnop\r\n${text}${text.length} abcdefghijklmnop\r\n__exception__\r\n`;
};
const tag = { 'x-clickhouse-exception-tag': 'abcdefghijklmnop' };

/** An answer that says 200 and means an error, in every form there is. */
function liars(stored: boolean): Trouble[] {
  const so = stored ? ', having stored the rows' : '';
  const lie = (title: string, ends: Trouble['ends'], code: number, fault: Fault): Trouble => ({
    title: `says 200 with ${title}${so}`,
    ends,
    code: new RegExp(`^${code}$`),
    fault: () => fault,
  });
  return [
    lie('a passing exception in the body', 'retrying', 252, status({ status: 200, body: words(252) }, stored)),
    lie('a lasting exception in the body', 'holding', 497, status({ status: 200, body: words(497) }, stored)),
    lie('an exception block', 'retrying', 241, status({ status: 200, headers: tag, body: block(241) }, stored)),
    lie(
      'a block of an exception it does not know',
      'holding',
      9999,
      status({ status: 200, body: block(9999) }, stored),
    ),
    lie(
      'the code in a header',
      'retrying',
      241,
      status({ status: 200, headers: { 'x-clickhouse-exception-code': '241' } }, stored),
    ),
    {
      title: `says 200 with a page of a proxy${so}`,
      ends: 'holding',
      code: /^HTTP 200$/,
      fault: () => status({ status: 200, body: `<html>${CANARY}</html>` }, stored),
    },
  ];
}

const refused = (code: number, ends: Trouble['ends'], what: string): Trouble => ({
  title: `refuses: ${what}`,
  ends,
  code: new RegExp(`^${code}$`),
  fault: () => status(refusal(code, `${CANARY} in row`)),
});

runCases('clickhouse', [
  ...sinkCases(contract),
  ...httpCases(contract, [
    ...liars(false),
    ...liars(true),
    refused(60, 'holding', 'there is no such table'),
    refused(516, 'holding', 'the password is wrong'),
    refused(243, 'retrying', 'its disk is full'),
    refused(202, 'retrying', 'too many queries'),
  ]),
]);

test('clickhouse: a poison row among many, anywhere, costs a few inserts and no neighbour; whole parts keep their token', async () => {
  for (const place of [0, 6, 12]) {
    const bench = await startClickHouseBench();
    bench.backend.poison = 'poison';
    const course = new Course(bench.sink);
    const steps = Array.from({ length: 13 }, (_, row) => (row === place ? 'poison' : `row-${row}`));
    await course.give({ steps: steps.map((step) => stepRow({ step })) });
    await course.finish();
    expect((await bench.stored()).size).toBe(12);
    expect(bench.server.brought.length).toBeLessThanOrEqual(2 * 4 + 1);
    bench.lawful();
    await course.stop();
    await bench.stop();
  }
});

test("clickhouse: flytekit's own table gets the steps alone, and they survive the same faults", async () => {
  const bench = await startClickHouseBench({ table: 'flytekit_telemetry' });
  const course = new Course(bench.sink);
  bench.server.fault = status({ status: 503 });
  await giveRecords(course, 2);
  course.begin();
  await course.failed(2);
  bench.server.fault = undefined;
  await course.finish();
  expect(bench.backend.rows).toHaveLength(6);
  expect(course.counted.totals()).toEqual({ ...NO_TOTALS, accepted: 6, stored: 6, dead_lettered: 0 });
  await course.stop();
  await bench.stop();
});
