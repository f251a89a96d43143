import type { Log } from '../log.ts';
import { Body, columnIdentity, writeRows } from './identity.ts';
import { STORED, type Sink } from './sink.ts';

interface DeadLetter {
  readonly reason: string;
  readonly detail: string;
  readonly source: string;
  readonly offset?: number;
}

/** Dead letters as lines of steptap's own log, for a run that keeps nothing on disk: they are never dropped in silence. */
export function createLogSink(log: Log): Sink {
  const body = new Body(1 << 16);
  return {
    name: 'dead-letters',
    tables: new Set(['rejections']),
    describe: () => "steptap's log",
    async open() {},
    async send(part) {
      body.length = 0;
      writeRows(part, body, columnIdentity);
      for (const row of body.view().toString('utf8').split('\n')) {
        if (row === '') continue;
        const letter = JSON.parse(row) as DeadLetter;
        const { reason, detail, source, offset } = letter;
        const where = offset === undefined ? source : `${source}, byte ${offset}`;
        log('warning', `a dead letter: ${reason}: ${detail} (${where})`, { dead_letter: letter });
      }
      return STORED;
    },
    async close() {},
  };
}
