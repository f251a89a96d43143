import { setMaxListeners } from 'node:events';
import { expect, test } from 'vitest';
import { ATTACKS, Honest, Target } from './forward.ts';

/** How long each attack goes on; longer by hand, for figures: STEPTAP_ATTACK_MS=10000. */
const ATTACK_MS = Number(process.env['STEPTAP_ATTACK_MS'] ?? 700);
const FIGURES = process.env['STEPTAP_ATTACK_MS'] !== undefined;
/** The bound of the promise. */
const MOST_MB = 256;

/** Records a second that come through meanwhile. */
async function during(target: Target, honest: Honest, attack?: (typeof ATTACKS)[number]): Promise<number> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const before = honest.sent.length;
  const begun = performance.now();
  const attacking = attack?.run(target.port, stop.signal);
  const sending = honest.run(target.port, stop.signal);
  // At least one chunk has to come through, however slow the machine is.
  while (performance.now() - begun < ATTACK_MS || honest.sent.length === before) {
    if (performance.now() - begun > 30_000) throw new Error(`${attack?.name}: nothing honest came through in 30 s`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  const seconds = (performance.now() - begun) / 1000;
  const came = honest.sent.length - before;
  stop.abort();
  await Promise.all([attacking, sending]);
  return Math.round(came / seconds);
}

test('whoever attacks the forward listener, it goes on, stays small, and what is honest comes through', async () => {
  const target = await Target.start();
  const honest = new Honest();
  const figures = [{ attack: 'none', records_per_s: await during(target, honest), peak_mb: target.peakMb() }];
  for (const attack of ATTACKS) {
    const records_per_s = await during(target, honest, attack);
    figures.push({ attack: attack.name, records_per_s, peak_mb: target.peakMb() });
  }
  const peak = target.peakMb();
  const { ended, messages } = await target.end();
  if (FIGURES) console.table(figures);
  expect(ended.code).toBe(0);
  expect(peak).toBeLessThan(MOST_MB);
  // Each once, though many were sent again.
  expect(new Set(messages).size).toBe(messages.length);
  const stored = new Set(messages);
  expect(honest.sent.filter((text) => !stored.has(text))).toEqual([]);
}, 120_000);
