import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { lines } from '../cli/parts.ts';
import { startClickHouse } from '../support/clickhouse-server.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const RSYSLOGD = ['/usr/sbin/rsyslogd', '/usr/bin/rsyslogd'].find((path) => existsSync(path));
if (RSYSLOGD === undefined && process.env['CI'] === 'true') throw new Error('no rsyslogd: apt-get install rsyslog');

/** The shipped file with the paths of a test in it; what it says of its work stays. */
async function configuration(directory: string, clickhouse: string): Promise<string> {
  const shipped = await readFile(at('fluent-bit/rsyslog-omprog.conf'), 'utf8');
  const command = `${process.execPath} ${at('dist/cli/main.js')} run --confirm rsyslog --state ${directory}/state --clickhouse ${clickhouse} --metrics none`;
  const replaced = [
    ['/var/log/pods/*/*/*.log', `${directory}/in.log`],
    [/\/usr\/local\/bin\/steptap run[^"]*/, command],
  ].reduce((text, [from, to]) => {
    const next = text.replace(from!, to as string);
    expect(next).not.toBe(text);
    return next;
  }, shipped);
  const global = `global(workDirectory="${directory}" maxMessageSize="64k")\n`;
  const path = join(directory, 'rsyslog.conf');
  // What the daemon says of itself, for when it does not do what it should.
  await writeFile(path, `${global}${replaced}\nsyslog.* action(type="omfile" file="${directory}/self.log")\n`);
  return path;
}

/** The process that omprog has started, if there is one just now. */
function childOf(daemon: ChildProcess): number | undefined {
  // Under the thread that has forked it.
  const tasks = `/proc/${daemon.pid}/task`;
  const children = readdirSync(tasks).flatMap((thread) => {
    try {
      return readFileSync(`${tasks}/${thread}/children`, 'utf8').trim().split(' ');
    } catch {
      return [];
    }
  });
  return children.map(Number).findLast((pid) => pid > 0);
}

function spoolSize(directory: string): number {
  const spool = join(directory, 'state', 'spool');
  if (!existsSync(spool)) return 0;
  return readdirSync(spool).reduce(
    (sum, name) => sum + (statSync(join(spool, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

test.skipIf(RSYSLOGD === undefined)(
  'rsyslog drives steptap through omprog; steptap is killed ten times, and no message is lost',
  async () => {
    const COUNT = 4_000;
    const directory = await mkdtemp(join(tmpdir(), 'steptap-rsyslog-'));
    const clickhouse = await startClickHouse();
    const path = await configuration(directory, clickhouse.url);
    const daemon = spawn(RSYSLOGD!, ['-n', '-f', path, '-i', join(directory, 'pid')], { stdio: 'ignore' });
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    onTestFinished(async () => {
      daemon.kill('SIGKILL');
      await ended;
      await clickhouse.stop();
      await rm(directory, { recursive: true, force: true });
    });
    const count = async (what: string): Promise<number> => {
      const exists = await clickhouse.query(
        "SELECT count() FROM system.tables WHERE database = 'default' AND name = 'steps'",
      );
      return Number(exists) === 0 ? 0 : Number(await clickhouse.query(`SELECT ${what} FROM steps`));
    };
    await writeFile(join(directory, 'in.log'), lines(COUNT));
    const killed = new Set<number>();
    for (let spooled = 0; killed.size < 10;) {
      let child = childOf(daemon);
      for (; child === undefined || killed.has(child); child = childOf(daemon)) await sleep(5);
      // Every third before it has said OK; the others when it has put something of a batch into the spool.
      if (killed.size % 3 === 0) await sleep(50 * killed.size);
      else while (spoolSize(directory) <= spooled + 5_000) await sleep(1);
      process.kill(child, 'SIGKILL');
      killed.add(child);
      spooled = spoolSize(directory);
    }
    while ((await count('uniqExact(step_raw)')) < COUNT) await sleep(200);
    const rows = await count('count()');
    expect(await count('uniqExact(step_raw)')).toBe(COUNT);
    console.log(`${COUNT} messages, 10 kills: ${rows - COUNT} rows twice`);
    daemon.kill('SIGTERM');
    await ended;
  },
  120_000,
);
