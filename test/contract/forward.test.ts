import { start, type Started } from '../sources/forward/parts.ts';
import { createForwardSink, type ForwardSinkOptions } from '../../src/sinks/forward/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { runCases, sinkCases, type Bench } from './sink-contract.ts';
import { PASSWORD } from './sink-contract.ts';

/** Another steptap at the other end, as far as its spool. */
async function startForward(options: Partial<ForwardSinkOptions>, key: string | undefined): Promise<Bench> {
  const receiver: Started = await start(key === undefined ? {} : { shared_key: key });
  const address = `127.0.0.1:${receiver.port}`;
  const sink = createForwardSink({ address, ...options }, { clock: new FakeClock(), log: () => undefined });
  return {
    sink,
    async stored() {
      const times = new Map<string, number>();
      for (const row of receiver.spool.rows('steps', 'logs')) {
        // A log has no step: there it is an attribute.
        const { step } = { ...(row['attributes'] as object), ...row } as unknown as { step: string };
        times.set(step, (times.get(step) ?? 0) + 1);
      }
      return times;
    },
    stop: async () => void (await receiver.stop()),
  };
}

runCases('forward', sinkCases({ name: 'forward', start: () => startForward({}, undefined) }));
runCases(
  'forward with a key and gzip',
  sinkCases({
    name: 'forward',
    start: () => startForward({ shared_key: PASSWORD, compress: 'gzip' }, PASSWORD),
  }),
);
