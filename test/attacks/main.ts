import { Honest, MOST_MB, startTarget } from './attack.ts';
import { httpAttacks } from './http.ts';
import { measure } from './measure.ts';

// npx tsx test/attacks/main.ts [seconds] [part of a name]: every attack on a steptap of its own, with what becomes of the honest.

const [seconds = '10', named = ''] = process.argv.slice(2);
const ms = Number(seconds) * 1_000;
let failed = false;

for (const attack of httpAttacks(1_000_000).filter(({ name }) => name.includes(named))) {
  const target = await startTarget();
  const honest = new Honest(target);
  const found = await measure(target, honest, attack, { alone_ms: ms, ms });
  const { ended, messages } = await target.end();
  const lost = honest.sent.length - new Set(messages).size;
  const twice = messages.length - new Set(messages).size;
  const rates = `${found.during}/s beside ${found.before}/s`;
  console.log(
    `${attack.name}: honest ${rates}, slowest ${found.slowest_ms} ms, peak ${found.peak_mb} MB, lost ${lost}, twice ${twice}, exit ${ended.code}`,
  );
  failed ||= found.peak_mb >= MOST_MB || lost !== 0 || twice !== 0 || ended.code !== 0 || found.during === 0;
}
process.exitCode = failed ? 1 : 0;
