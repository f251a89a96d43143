import { expect, test } from 'vitest';
import { Honest, MOST_MB, startTarget } from './attack.ts';
import { httpAttacks } from './http.ts';
import { measure, type Measured } from './measure.ts';

// A moment of each; `npx tsx test/attacks/main.ts` takes its time, gives each a process of its own, and says how fast the honest are.
const ATTACKS = httpAttacks(200_000);
const SERIES = 5_000;

test.each([
  [ATTACKS.slice(0, 3), ['413']],
  [ATTACKS.slice(3, 6), []],
  [ATTACKS.slice(6, 8), ['401']],
  [ATTACKS.slice(8), ['413']],
])(
  'attacks %# end nothing, fill no memory, and what the honest send is stored, each record once',
  async (attacks, refusals) => {
    const target = await startTarget();
    const honest = new Honest(target);
    const found: Measured[] = [];
    for (const attack of attacks) found.push(await measure(target, honest, attack, { alone_ms: 0, ms: 700 }));
    const text = await (await fetch(target.metrics)).text();
    const { ended, messages } = await target.end();
    expect(ended.code).toBe(0);
    expect(found.filter(({ peak_mb, during }) => peak_mb >= MOST_MB || during === 0)).toEqual([]);
    const stored = new Set(messages);
    // Some of it was stored though its sender was cut off before it knew, and so sent again.
    expect([messages.length, honest.sent.filter((message) => !stored.has(message))]).toEqual([stored.size, []]);
    const answered = [...text.matchAll(/steptap_http_requests_total\{source="http:in",code="(\d+)"\}/g)];
    expect(answered.map(([, code]) => code)).toEqual(expect.arrayContaining(['200', ...refusals]));
    expect([...text.matchAll(/^steptap_step_duration_seconds_count/gm)].length).toBeLessThanOrEqual(SERIES);
  },
  120_000,
);
