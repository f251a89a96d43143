import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { Values } from '../../../src/msgpack/values.ts';
import type { ForwardSourceOptions } from '../../../src/sources/forward/index.ts';
import { Client, start, until } from './parts.ts';

const KEY: ForwardSourceOptions = { shared_key: 'secret', hostname: 'srv' };

/** Of each capture: what was configured, and how many records it has. */
const CAPTURES: [name: string, options: ForwardSourceOptions, records: number][] = [
  ['default-5.1.1', {}, 6],
  ['dynamic-tag', {}, 6],
  ['gzip-ack', {}, 6],
  ['meta-ack', {}, 6],
  ['nometa-ack', {}, 6],
  ['nometa', {}, 6],
  ['sharedkey-ack', KEY, 6],
  ['time-as-integer', {}, 6],
  ['userpass', KEY, 6],
];

async function read(name: string): Promise<{ sent: Buffer; answers: Buffer[] }> {
  const folder = new URL('../../fixtures/fluentbit-forward/', import.meta.url);
  const frames = JSON.parse(await readFile(new URL(`${name}.server-sent.json`, folder), 'utf8')) as string[];
  return {
    sent: await readFile(new URL(`${name}.bin`, folder)),
    answers: frames.map((frame) => Buffer.from(frame, 'hex')),
  };
}

const isPing = (frame: Buffer): boolean => frame.subarray(2, 6).toString() === 'PING';

/** A recording is of one connection, or of several, one after the other: each begins with a PING. */
function connections(sent: Buffer): Buffer[][] {
  const values = new Values(1 << 24, sent);
  const all: Buffer[][] = [];
  for (let frame = values.next(); frame !== undefined; frame = values.next()) {
    if (all.length === 0 || isPing(frame)) all.push([]);
    all.at(-1)!.push(Buffer.from(frame));
  }
  expect(values.held).toBe(0);
  return all;
}

test.each(CAPTURES)(
  'what Fluent Bit sent with %s is stored, and answered byte for byte',
  async (name, options, records) => {
    const { sent, answers } = await read(name);
    const nonce = Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex');
    const { port, spool, warnings } = await start(options, {
      random: () => nonce,
      decode: { disabled: new Set(['flytekit']) },
    });
    const heard: Buffer[] = [];
    for (const frames of connections(sent)) {
      const client = new Client(port);
      // In pieces that end anywhere.
      const bytes = Buffer.concat(frames);
      for (let at = 0; at < bytes.length; at += 97) client.socket.write(bytes.subarray(at, at + 97));
      client.socket.end();
      await client.closed;
      heard.push(...client.frames);
    }
    expect(heard.map((frame) => frame.toString('hex'))).toEqual(answers.map((frame) => frame.toString('hex')));
    await until(() => spool.rows().length >= records);
    // The line in them is no whole step: as a log all of it is to be seen.
    const logs = spool.rows('logs');
    expect(spool.rows()).toHaveLength(logs.length);
    expect(logs).toHaveLength(records);
    for (const log of logs) {
      expect(log).toMatchObject({
        message: 'flytekit_step',
        attributes: { step: 'download_inputs', wall_time_s: '0.5', status: 'success' },
        namespace: 'ml',
        pod: 'f12abc-n0-0',
        container: 'primary',
        node: 'node-1',
        stream: 'stderr',
        labels: { 'execution-id': 'f12abc' },
      });
      expect(log['ts']).toMatch(/^2026-11-21T/);
    }
    expect(warnings).toEqual([]);
  },
);
