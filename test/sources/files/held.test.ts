import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Known, Metadata } from '../../../src/sources/files/metadata.ts';
import { NOWHERE } from '../../../src/origin.ts';
import { real } from '../parts.ts';
import { cri, Node, rotate } from './parts.ts';

const node = new Node();

function copyTruncate(log: string): void {
  copyFileSync(log, `${log}.1`);
  truncateSync(log);
}

/** All pods have these annotations. */
function annotated(...annotations: [string, string][]): Metadata {
  const known: Known = { fields: NOWHERE, annotations: annotations.length === 0 ? undefined : new Map(annotations) };
  return { now: () => known, wait: async () => known, watch: () => () => {} };
}

test('Copies that were made before a log was truncated are not read again at the next start', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  copyTruncate(log);
  await node.pass(running, 1_500);
  node.write(log, cri('2'));
  await node.until(running, () => node.rows.length === 2);
  await running.stop();
  const again = node.start();
  await node.pass(again, 2_000);
  await again.stop();
  expect(node.messages).toEqual(['1', '2']);
  // And once more while nobody reads: only the younger copy has something new.
  node.write(log, cri('3'));
  renameSync(`${log}.1`, `${log}.2`);
  await real(12);
  copyTruncate(log);
  node.write(log, cri('4'));
  const last = node.start();
  await node.until(last, () => node.messages.includes('4'));
  await node.pass(last, 2_000);
  expect(node.messages).toEqual(['1', '2', '3', '4']);
});

test('From the end: what was passed over is passed over at the next start too', async () => {
  node.write(node.log('old'), cri('old'));
  const running = node.start({ start: 'end' });
  await node.pass(running, 1_500);
  await running.stop();
  node.write(node.log('old'), cri('new'));
  const again = node.start({ start: 'end' });
  await node.until(again, () => node.rows.length > 0);
  expect(node.messages).toEqual(['new']);
});

test('A rotated file that the paths match too is read as what it is, and once', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  const running = node.start({ paths: [node.at('pods/*/*/*')] });
  await node.until(running, () => node.rows.length === 1);
  await rotate(log);
  node.write(log, cri('2'));
  await node.until(running, () => node.messages.includes('2'));
  await node.pass(running, 2_500);
  expect(node.messages).toEqual(['1', '2']);
});

test('A compressed file that is not whole yet is read to its end when it is', async () => {
  const log = node.log();
  const text = Array.from({ length: 3_000 }, () => cri(randomBytes(30).toString('hex'))).join('');
  const bytes = gzipSync(text);
  const half = bytes.length >> 1;
  node.write(log, cri('last'));
  writeFileSync(`${log}.20260219-000001.gz`, bytes.subarray(0, half));
  const running = node.start();
  await node.until(running, () => node.rows.length > 0);
  await node.pass(running, 1_000);
  appendFileSync(`${log}.20260219-000001.gz`, bytes.subarray(half));
  await node.until(running, () => node.messages.includes('last'));
  expect(node.rows).toHaveLength(3_001);
  expect(node.said).toEqual([]);
});

test('A link that is led elsewhere is followed there, and a file that comes again behind one is read', async () => {
  for (const name of ['links', 'logs']) mkdirSync(node.at(name));
  writeFileSync(node.at('logs/1'), cri('1'));
  symlinkSync(node.at('logs/1'), node.at('links/x.log'));
  const running = node.start({ paths: [node.at('links/*.log')], links_into: [node.at('logs')] });
  await node.until(running, () => node.rows.length === 1);
  writeFileSync(node.at('logs/2'), cri('2'));
  symlinkSync(node.at('logs/2'), node.at('links/new'));
  renameSync(node.at('links/new'), node.at('links/x.log'));
  await node.until(running, () => node.rows.length === 2);
  unlinkSync(node.at('logs/2'));
  await node.until(running, () => !node.spool.positions.has(node.at('logs/2')));
  writeFileSync(node.at('logs/2'), cri('3'));
  await node.until(running, () => node.rows.length === 3);
  expect(node.messages).toEqual(['1', '2', '3']);
});

test('A directory that cannot be looked into for a while is not one without logs', async () => {
  node.write(node.log(), cri('1'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  renameSync(node.at('pods'), node.at('away'));
  symlinkSync(node.at('pods'), node.at('pods'));
  await node.pass(running, 8_000);
  unlinkSync(node.at('pods'));
  renameSync(node.at('away'), node.at('pods'));
  node.write(node.log(), cri('2'));
  await node.until(running, () => node.messages.includes('2'));
  await node.pass(running, 2_000);
  expect(node.messages).toEqual(['1', '2']);
});

test('While the spool takes nothing, what is rotated away and deleted is held', async () => {
  const log = node.log();
  node.spool.held = true;
  // More than what may be on its way into the spool.
  const many = Array.from({ length: 40_000 }, (_, n) => cri(`${n}`));
  node.write(log, many.join(''));
  const running = node.start();
  await node.until(running, () => node.spool.waiting.length > 0);
  await node.pass(running, 3_000);
  for (const text of ['a', 'b', 'c']) {
    node.write(log, cri(text));
    const old = await rotate(log);
    await node.pass(running, 2_500);
    unlinkSync(old);
  }
  node.write(log, cri('d'));
  node.spool.commit();
  await node.until(running, () => node.messages.includes('d'));
  expect(node.messages.filter((text) => !/^\d+$/.test(text))).toEqual(['a', 'b', 'c', 'd']);
  expect(node.rows).toHaveLength(40_004);
});

test('Of a pod that is excluded nothing is kept when it is gone', async () => {
  node.write(node.log('a'), cri('a'));
  const running = node.start({}, { metadata: annotated(['steptap.io/exclude', 'true']) });
  await node.pass(running, 1_500);
  const waiting = async (): Promise<string | undefined> =>
    /^steptap_tail_logs\{.*state="waiting"\} (\d+)$/m.exec(await running.registry.metrics())?.[1];
  expect(await waiting()).toBe('1');
  rmSync(dirname(dirname(node.log('a'))), { recursive: true });
  await node.pass(running, 8_000);
  expect(await waiting()).toBe('0');
});

test('Deleted files over the limit are given up once, also of logs that wait for what is known of their pods', async () => {
  for (const pod of ['a', 'b']) node.write(node.log(pod), cri('text'));
  const running = node.start({ exclude_annotations: ['x'] }, { metadata: annotated(), max_deleted_bytes: 10 });
  await node.pass(running, 1_500);
  rmSync(dirname(dirname(node.log('a'))), { recursive: true });
  await node.pass(running, 8_000);
  expect(node.said).toEqual([expect.stringMatching(/^\d\d bytes of deleted files of .*ns_a_.* are given up/)]);
  expect(await running.registry.metrics()).toMatch(/^steptap_tail_deleted_bytes\{.*\} 0$/m);
});

test('Lines of a service that say the same, and are held back, are told by whoever reads the log next', async () => {
  const log = node.log('flytepropeller');
  const said = (second: number): string => {
    const ts = `2026-02-19T10:${String(30 + Math.floor(second / 60))}:${String(second % 60).padStart(2, '0')}Z`;
    return cri(JSON.stringify({ json: { exec_id: 'a1', node: 'n0' }, level: 'info', msg: 'Processing Workflow.', ts }));
  };
  for (let second = 0; second < 15; second++) node.write(log, said(second));
  const running = node.start();
  await node.until(running, () => node.rows.length === 10);
  await running.stop();
  expect(node.rows).toHaveLength(10);
  // These are no rows, and have to be remembered all the same.
  for (let second = 15; second < 20; second++) node.write(log, said(second));
  const again = node.start();
  await node.pass(again, 2_000);
  await again.stop();
  expect(node.rows).toHaveLength(10);
  node.write(log, said(70));
  const last = node.start();
  await node.until(last, () => node.rows.length === 12);
  await last.stop();
  expect(node.rows.slice(10)).toMatchObject([
    { ts: '2026-02-19T10:30:19.000000Z', lines: 10, attributes: { repeated: '10' } },
    { ts: '2026-02-19T10:31:10.000000Z' },
  ]);
});
