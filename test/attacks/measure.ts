import { Honest, pause, type Attack, type Target } from './attack.ts';

export interface Measured {
  readonly attack: string;
  /** Records a second of the honest, before the attack and during it. */
  readonly before: number;
  readonly during: number;
  readonly slowest_ms: number;
  /** Of the process so far. */
  readonly peak_mb: number;
}

/** The honest alone for a while, and then beside the attack. Throws when steptap is gone. */
export async function measure(
  target: Target,
  honest: Honest,
  attack: Attack,
  { alone_ms, ms }: { readonly alone_ms: number; readonly ms: number },
): Promise<Measured> {
  const before = await rate(honest, alone_ms);
  const stop = new AbortController();
  const attacking = attack.run(target, stop.signal);
  const during = await rate(honest, ms);
  stop.abort();
  await attacking;
  if (target.cli.child.exitCode !== null || target.cli.child.signalCode !== null) {
    throw new Error(`${attack.name} has ended it:\n${target.cli.stderr.slice(-2_000)}`);
  }
  return { attack: attack.name, before, during, slowest_ms: honest.slowest_ms, peak_mb: target.peakMb() };
}

async function rate(honest: Honest, ms: number): Promise<number> {
  if (ms === 0) return 0;
  const sent = honest.sent.length;
  honest.slowest_ms = 0;
  const stop = new AbortController();
  const running = honest.run(stop.signal);
  const began = performance.now();
  await pause(ms);
  stop.abort();
  await running;
  return Math.round(((honest.sent.length - sent) / (performance.now() - began)) * 1_000);
}
