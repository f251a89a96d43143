import { copyFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { compress, cri, mkfifo, Node, rotate, UID } from './parts.ts';

const node = new Node();

test('Every log of the node is read, with what its path says of its pod', async () => {
  node.write(node.log('a'), cri('one'));
  node.write(node.log('b', 'side', { namespace: 'other' }), cri('two', 'F', 'stdout'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 2);
  node.write(node.log('c'), cri('three'));
  node.write(node.log('a'), cri('more'));
  await node.until(running, () => node.rows.length === 4);
  const rows = node.rows.map(({ message, namespace, pod, pod_uid, container, stream }) => [
    message,
    namespace,
    pod,
    pod_uid,
    container,
    stream,
  ]);
  expect(rows.sort(([one = ''], [other = '']) => String(one).localeCompare(String(other)))).toEqual([
    ['more', 'ns', 'a', UID, 'main', 'stderr'],
    ['one', 'ns', 'a', UID, 'main', 'stderr'],
    ['three', 'ns', 'c', UID, 'main', 'stderr'],
    ['two', 'other', 'b', UID, 'side', 'stdout'],
  ]);
  expect(node.rows[0]).not.toHaveProperty('k8s_enriched');
  expect(node.said).toEqual([]);
});

test('What a line says behind its frame is its own: a pod cannot say that it is another', async () => {
  node.write(node.log(), cri(`[pod/evil/evil] ${cri('text').trimEnd()}`));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  expect(node.rows[0]).toMatchObject({
    pod: 'pod',
    container: 'main',
    message: expect.stringContaining('[pod/evil/evil]') as string,
  });
});

test.each([
  [{ namespaces: ['n*'], exclude_namespaces: ['no'] }, ['a', 'b']],
  [{ pods: ['a'] }, ['a']],
  [{ exclude_containers: ['mai?'] }, ['c']],
  [{ exclude_paths: ['/*/*/pods/*_b_*/*/*.log'] }, ['a', 'c', 'd']],
])('Only those are read that are wanted: %j', async (options, wanted) => {
  node.write(node.log('a'), cri('a'));
  node.write(node.log('b'), cri('b'));
  node.write(node.log('c', 'side', { namespace: 'other' }), cri('c'));
  node.write(node.log('d', 'main', { namespace: 'no' }), cri('d'));
  const running = node.start(options);
  await node.until(running, () => node.rows.length >= wanted.length);
  await node.pass(running, 2_000);
  expect(node.messages.sort()).toEqual(wanted);
});

test.each([{ POD_UID: 'mine' }, { POD_NAMESPACE: 'ns', POD_NAME: 'steptap' }])(
  'Its own log is not read: %j',
  async (env) => {
    node.write(node.log('steptap', 'main', { uid: 'mine' }), cri('its own'));
    node.write(node.log('other'), cri('another'));
    const running = node.start({}, { env });
    await node.until(running, () => node.rows.length === 1);
    await node.pass(running, 2_000);
    expect(node.messages).toEqual(['another']);
  },
);

test('A log that two paths lead to is read once, and known by the one that says more', async () => {
  node.write(node.log(), cri('one'));
  mkdirSync(node.at('containers'));
  symlinkSync(node.log(), node.at('containers', `pod_ns_main-${'0'.repeat(64)}.log`));
  const links = { paths: [node.at('containers/*.log')], links_into: [node.at('pods')] };
  const running = node.start({ ...links, paths: [...links.paths, node.at('pods/*/*/*.log')] });
  await node.until(running, () => node.rows.length === 1);
  await running.stop();
  node.write(node.log(), cri('two'));
  const again = node.start(links);
  await node.until(again, () => node.rows.length === 2);
  expect(node.messages).toEqual(['one', 'two']);
  expect(node.rows[1]).toMatchObject({ pod_uid: UID, container: 'main' });
});

test('A link out of the directories of logs, and what is no file, are refused, and that is said once', async () => {
  node.write(node.at('secret'), cri('secret'));
  node.write(node.log(), cri('one'));
  symlinkSync(node.at('secret'), `${dirname(node.log())}/1.log`);
  mkfifo(`${dirname(node.log())}/2.log`);
  const running = node.start();
  await node.pass(running, 5_000);
  expect(node.messages).toEqual(['one']);
  expect(node.said.sort()).toEqual([
    expect.stringMatching(/1\.log is not read: it is a link to secret; name its directory in links_into/) as string,
    expect.stringMatching(/2\.log is not read: it is no regular file$/) as string,
  ]);
});

test('A pod that is deleted is read to its end, and then nothing is kept of it', async () => {
  const log = node.log();
  node.write(log, cri('one'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  node.write(log, cri('two') + cri('half', 'P') + 'no newline');
  rmSync(dirname(dirname(log)), { recursive: true });
  await node.until(running, () => node.spool.positions.has('files:pods') && !node.spool.positions.has(log));
  expect(node.messages.slice(0, 2)).toEqual(['one', 'two']);
  expect(node.messages.slice(2).sort()).toEqual(['half', 'no newline']);
});

test('A position of a log that went while steptap was away is forgotten', async () => {
  node.write(node.log(), cri('one'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  await running.stop();
  rmSync(node.at('pods'), { recursive: true });
  mkdirSync(node.at('pods'));
  const again = node.start();
  await node.until(again, () => !node.spool.positions.has(node.log()));
  expect(node.messages).toEqual(['one']);
});

test('Files that were rotated and compressed while steptap was away are read from where it was', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  await running.stop();
  node.write(log, cri('2') + cri('a line in ', 'P'));
  const first = await rotate(log);
  node.write(log, cri('two files') + cri('3'));
  const second = await rotate(log);
  node.write(log, cri('4'));
  compress(first);
  compress(second);
  const third = await rotate(log);
  node.write(log, cri('5'));
  const again = node.start();
  await node.until(again, () => node.rows.length === 6);
  await again.stop();
  // Read and finished: that it is compressed later is nothing new.
  compress(third);
  node.write(log, cri('6'));
  const last = node.start();
  await node.until(last, () => node.rows.length === 7);
  await node.pass(last, 2_000);
  expect(node.messages).toEqual(['1', '2', 'a line in two files', '3', '4', '5', '6']);
  expect(node.said).toEqual([]);
});

test('A log that was never read is read with all files that there are of it', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  compress(await rotate(log));
  node.write(log, cri('2'));
  await rotate(log);
  node.write(log, cri('3'));
  await node.until(node.start(), () => node.rows.length === 3);
  expect(node.messages).toEqual(['1', '2', '3']);
});

test('Of a file that was truncated while steptap was away, the rest is in the copy', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  await running.stop();
  node.write(log, cri('2'));
  copyFileSync(log, `${log}.1`);
  truncateSync(log);
  node.write(log, cri('3'));
  await node.until(node.start(), () => node.rows.length === 3);
  expect(node.messages).toEqual(['1', '2', '3']);
});

test('When what was not read is gone, the next is read, and the gap is said and counted', async () => {
  const log = node.log();
  node.write(log, cri('1'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  await running.stop();
  node.write(log, cri('lost'));
  unlinkSync(await rotate(log));
  node.write(log, cri('2'));
  const again = node.start();
  await node.until(again, () => node.rows.length === 2);
  expect(node.messages).toEqual(['1', '2']);
  expect(node.said).toEqual([expect.stringMatching(/it is another file than the one of which \d+ bytes were read/)]);
  expect(await again.registry.metrics()).toMatch(/^steptap_tail_gaps_total\{source="files:pods"\} 1$/m);
});

test('From the end: what is there is passed over once, and what comes later is read', async () => {
  node.write(node.log('old'), cri('old'));
  const running = node.start({ start: 'end' });
  await node.pass(running, 1_500);
  node.write(node.log('old'), cri('new'));
  node.write(node.log('later'), cri('later'));
  await node.until(running, () => node.rows.length === 2);
  await running.stop();
  node.write(node.log('away'), cri('away'));
  const again = node.start({ start: 'end' });
  await node.until(again, () => node.rows.length === 3);
  expect(node.messages.sort()).toEqual(['away', 'later', 'new']);
});

test('A log with a backlog does not hold up another', async () => {
  node.write(node.log('a'), Array.from({ length: 40_000 }, (_, n) => cri(`a${n}`)).join(''));
  node.write(node.log('b'), cri('b'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 40_001);
  expect(node.messages.indexOf('b')).toBeLessThan(20_000);
});

test('A log that was written anew, and is longer by now than it was, is read from its beginning', async () => {
  const log = node.log();
  node.write(log, cri('one'));
  const running = node.start();
  await node.until(running, () => node.rows.length === 1);
  writeFileSync(log, cri('two') + cri('three'));
  await node.until(running, () => node.rows.length === 3);
  expect(node.messages).toEqual(['one', 'two', 'three']);
  expect(node.said).toEqual([expect.stringMatching(/0\.log was truncated; it is read from its beginning$/)]);
});
