import type { FailureClass } from '../sink.ts';

/*
 * What ClickHouse's error codes mean for the rows of an INSERT. A code that is not here holds: the data is kept and somebody looks.
 * Names are from ClickHouse's ErrorCodes.cpp.
 */

/** It will pass: limits of the moment, Keeper, the network between servers. The same part with the same token, for ever. */
const TRANSIENT = [
  3, 159, 160, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 254, 285, 286, 289, 319, 341, 373, 394, 425, 439, 473,
  677, 700, 745, 999,
];

/** Refused before a row was read: for these the rows are certainly not stored. */
const BEFORE_THE_ROWS = new Set([202, 252, 745]);

/**
 * Some row is poison: what it says does not parse, or does not fit its column. 467 is CANNOT_PARSE_BOOL, 469 is VIOLATED_CONSTRAINT: a CHECK is what an operator
 * says of single rows, so it costs that row and not its neighbours.
 */
const POISON = [6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 349, 467, 469, 691];

/** An operator must act, the data is fine; with what to do. */
const OPERATOR: ReadonlyMap<number, string> = new Map([
  [16, 'a column is missing: steptap looks for it at the next try and adds it, or names the ALTER to run'],
  [60, 'the table does not exist: with `create: auto` it is made at the next try, else make it'],
  [81, 'the database does not exist: with `create: auto` it is made at the next try, else make it'],
  [115, 'the server does not know a setting: steptap asks again which it knows at the next try'],
  [158, "the user's profile lets a query read too few rows to count: raise max_rows_to_read"],
  [164, 'the user is read-only: give it a profile that may insert and set settings'],
  [192, 'the user does not exist: check `user`'],
  [193, 'the password is wrong: check `user` and `password`'],
  [194, 'the server wants a password: set `password`'],
  [201, 'a quota is used up: raise it or wait for its interval to end'],
  [307, "the user's profile lets a query read too few bytes to count: raise max_bytes_to_read"],
  [452, "a setting is fixed by the user's profile: allow steptap's user to change settings"],
  [497, 'the user lacks a right: GRANT SELECT, INSERT on the tables to it'],
  [516, 'the user or the password is wrong: check `user` and `password`'],
]);

const ADVICE_WHILE_TRANSIENT: ReadonlyMap<number, string> = new Map([
  [241, 'the server is out of memory for queries; tried again'],
  [242, 'the replica is read-only, its Keeper is out of reach; tried again'],
  [243, 'the disk of the server is full: make room; tried again'],
  [252, 'the server merges more slowly than it is written to; tried again'],
]);

/** HTTP statuses of an answer that carries no code of ClickHouse: a proxy's, mostly. */
const RETRIED_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);
const REFUSED_STATUSES = new Set([425, 429]);

const STATUS_ADVICE: ReadonlyMap<number, string> = new Map([
  [401, 'the user or the password is wrong: check `user` and `password`'],
  [403, 'access is denied: check `user`, `password` and what stands in front of the server'],
  [404, 'there is no ClickHouse at that address: check `urls`'],
  [407, 'a proxy wants another user or password: give them in HTTP_PROXY, as http://user:password@host:port'],
  [413, 'the request is too large for what stands in front of the server; steptap makes it smaller'],
]);

/** What is to be done, and whether the rows may be stored all the same. */
export interface Meaning {
  readonly failure: FailureClass;
  readonly in_doubt: boolean;
  readonly advice: string;
}

const transient = new Set(TRANSIENT);
const poison = new Set(POISON);

export function meaningOfCode(code: number): Meaning {
  if (poison.has(code)) return { failure: 'split', in_doubt: false, advice: 'a row does not fit its table' };
  if (transient.has(code)) {
    const advice = ADVICE_WHILE_TRANSIENT.get(code) ?? 'tried again';
    return { failure: 'retry', in_doubt: !BEFORE_THE_ROWS.has(code), advice };
  }
  const advice = OPERATOR.get(code);
  if (advice !== undefined) return { failure: 'hold', in_doubt: false, advice };
  return { failure: 'hold', in_doubt: true, advice: 'steptap does not know this error: see the log of the server' };
}

export function meaningOfStatus(status: number): Meaning {
  if (status === 413) return { failure: 'split', in_doubt: false, advice: STATUS_ADVICE.get(413)! };
  if (RETRIED_STATUSES.has(status)) {
    return { failure: 'retry', in_doubt: !REFUSED_STATUSES.has(status), advice: 'tried again' };
  }
  const advice = STATUS_ADVICE.get(status) ?? 'this is not an answer of ClickHouse: check `urls`';
  return { failure: 'hold', in_doubt: status < 300 || status >= 500, advice };
}
