import { describe, expect, test } from 'vitest';
import { UTC, zone, type Zone } from '../src/zone.ts';
import { ARRIVAL, decode, stepLine } from './support/decode.ts';

const us = (text: string): number => Date.parse(text) * 1000;

/** The UTC time of a local one. */
function utc(of: Zone, local: string): string {
  return new Date(of(us(`${local}Z`)) / 1000).toISOString();
}

function named(name: string): Zone {
  const found = zone(name);
  if (found === undefined) throw new Error(`no zone ${name}`);
  return found;
}

describe('A zone by its name', () => {
  test.each([
    ['UTC', '2026-02-19T10:30:44.189', '2026-02-19T10:30:44.189Z'],
    ['Z', '2026-02-19T10:30:44.189', '2026-02-19T10:30:44.189Z'],
    ['+02:00', '2026-02-19T10:30:44.189', '2026-02-19T08:30:44.189Z'],
    ['+0200', '2026-02-19T10:30:44.189', '2026-02-19T08:30:44.189Z'],
    ['-05:30', '2026-02-19T22:30:44.189', '2026-02-20T04:00:44.189Z'],
    ['Asia/Kathmandu', '2026-02-19T10:30:44.189', '2026-02-19T04:45:44.189Z'],
    ['Europe/Berlin', '2026-02-19T10:30:44.189', '2026-02-19T09:30:44.189Z'],
    ['Europe/Berlin', '2026-07-19T10:30:44.189', '2026-07-19T08:30:44.189Z'],
  ])('%s: %s is %s', (name, local, expected) => {
    expect(utc(named(name), local)).toBe(expected);
  });

  test.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca'])(
    '%s: every quarter hour of a year comes back from UTC, through both changes of the clock',
    (name) => {
      const of = named(name);
      const format = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' });
      const said = new Set<string>();
      const twice = new Set<string>();
      const times: [number, string][] = [];
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 15 * 60_000) {
        const local = format.format(at);
        if (said.has(local)) twice.add(local);
        said.add(local);
        times.push([at, local]);
      }
      // A local hour that comes twice may be either.
      const once = times.filter(([, local]) => !twice.has(local));
      expect(once.length).toBeGreaterThan(35_000);
      expect(once.filter(([at, local]) => of(us(`${local.replace(' ', 'T')}Z`)) !== at * 1000)).toEqual([]);
    },
  );

  test('An hour that the clock left out is a time beside it', () => {
    expect(utc(named('Europe/Berlin'), '2026-03-29T02:30:00')).toBe('2026-03-29T01:30:00.000Z');
  });

  test('No time stays no time', () => {
    for (const name of ['UTC', '+02:00', 'Europe/Berlin']) expect(named(name)(Number.NaN)).toBeNaN();
  });

  test.each(['', 'Nowhere/At_All', '+25:00', '+2', '2', 'utc+2'])('There is no zone %j', (name) => {
    expect(zone(name)).toBeUndefined();
  });
});

describe('The time of a line that names no zone', () => {
  const ts = (line: string, of: Zone = UTC): unknown => decode(`${line}\n`, { zone: of }).rows[0]?.fields['ts'];
  const berlin = named('Europe/Berlin');

  test('is UTC unless another zone is named', () => {
    expect(ts(stepLine())).toBe('2026-02-19T10:30:44.189000Z');
    expect(ts(stepLine(), named('+02:00'))).toBe('2026-02-19T08:30:44.189000Z');
    expect(ts(stepLine(), berlin)).toBe('2026-02-19T09:30:44.189000Z');
    expect(ts(stepLine({ asctime: '"2026-03-29 03:00:00,000"' }), berlin)).toBe('2026-03-29T01:00:00.000000Z');
    expect(ts(stepLine({ asctime: '"2026-03-29 01:59:59,999"' }), berlin)).toBe('2026-03-29T00:59:59.999000Z');
    expect(ts('{"asctime": "2026-07-01 12:00:00,000", "levelname": "INFO", "message": "x"}', berlin)).toBe(
      '2026-07-01T10:00:00.000000Z',
    );
    expect(ts('2026-07-01 12:00:00,000 INFO x', berlin)).toBe('2026-07-01T10:00:00.000000Z');
  });

  test.each([
    ['2026-02-19T10:30:44.189512345Z', '2026-02-19T10:30:44.189000Z'],
    ['2026-02-19T08:30:44.190000000Z', '2026-02-19T08:30:44.189000Z'],
    ['2026-02-19T10:30:44.190000000+02:00', '2026-02-19T08:30:44.189000Z'],
    ['2026-02-19T04:45:44.190000000Z', '2026-02-19T04:45:44.189000Z'],
    ['2026-02-19T22:31:02.000000000Z', '2026-02-19T22:30:44.189000Z'],
  ])('is in the zone that the timestamp of the runtime beside it tells: %s', (runtime, expected) => {
    for (const of of [UTC, berlin]) expect(ts(`${runtime} stderr F ${stepLine()}`, of)).toBe(expected);
  });

  test('is in the named zone when the runtime wrote it hours later', () => {
    const line = `2026-02-21T10:30:44.189512345Z stderr F ${stepLine()}`;
    expect(ts(line)).toBe('2026-02-19T10:30:44.189000Z');
    expect(ts(line, named('+02:00'))).toBe('2026-02-19T08:30:44.189000Z');
  });

  test('does not matter where the line does name one', () => {
    expect(ts(stepLine({ asctime: '"2026-02-19 10:30:44,189+02:00"' }), berlin)).toBe('2026-02-19T08:30:44.189000Z');
    expect(ts('{"ts": "2026-02-19T10:30:38Z", "level": "info", "msg": "x"}', berlin)).toBe(
      '2026-02-19T10:30:38.000000Z',
    );
  });

  test('timestamp on the ClickHouse path is UTC, whatever zone is named', () => {
    const row = stepLine({ asctime: '', name: '', levelname: '', message: '', timestamp: '"2026-02-19 10:31:12.640"' });
    expect(ts(row, berlin)).toBe('2026-02-19T10:31:12.640000Z');
    expect(ts(`2026-02-19T08:31:12.700000000Z stderr F ${row}`)).toBe('2026-02-19T10:31:12.640000Z');
  });
});

describe('A time that cannot be stored', () => {
  const old = stepLine({ asctime: '"1969-12-31 23:59:59,999"' });

  test('gives way to that of the runtime, then to the arrival, and stays as it was written', () => {
    const [beside] = decode(`2026-02-19T10:30:44.189512345Z stderr F ${old}\n`).steps;
    expect(beside).toMatchObject({
      ts: '2026-02-19T10:30:44.189512Z',
      ts_start: '2026-02-19T10:30:44.189507Z',
      attributes: { ts_original: '1969-12-31 23:59:59,999' },
      provenance: 'ts:runtime',
    });
    expect(decode(`${old}\n`).steps).toMatchObject([{ ts: ARRIVAL, provenance: 'ts:arrival' }]);
  });

  test.each(['1970-01-01 00:00:00,000', '2262-01-01 00:00:00,000'])('%s is the last that can', (asctime) => {
    expect(decode(`${stepLine({ asctime: `"${asctime}"` })}\n`).steps).toMatchObject([
      { ts: `${asctime.replace(' ', 'T').replace(',', '.')}000Z` },
    ]);
  });

  test('A start before 1970 is left out', () => {
    const [step] = decode(`${stepLine({ wall_time_s: '1e12' })}\n`).steps;
    expect(step).not.toHaveProperty('ts_start');
    expect(step).toMatchObject({ wall_time_s: 1e12 });
  });

  test('of a log stays an attribute', () => {
    expect(decode('{"message": "x", "timestamp": "1800-01-01T00:00:00Z"}\n').logs).toMatchObject([
      { ts: ARRIVAL, attributes: { timestamp: '1800-01-01T00:00:00Z' } },
    ]);
  });
});
