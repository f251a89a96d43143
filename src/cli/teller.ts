import type { LaneState } from '../delivery/lane.ts';
import type { Log } from '../log.ts';
import type { Sink } from '../sinks/sink.ts';

/** Logs what a sink has come to. That it works is said of stores, and after trouble. */
export interface Teller {
  (state: LaneState, sink: Sink): void;
  store(sink: Sink): void;
}

export function teller(log: Log): Teller {
  const stores = new WeakSet<Sink>();
  const troubled = new WeakSet<Sink>();
  const tell = ({ state, reason }: LaneState, sink: Sink): void => {
    const details = { sink: sink.name };
    if (state === 'retrying') log('warning', `${sink.name} is tried again: ${reason}`, details);
    else if (state === 'holding') log('error', `${sink.name} holds until somebody acts: ${reason}`, details);
    if (state === 'retrying' || state === 'holding') troubled.add(sink);
    else if (state === 'running' && (troubled.delete(sink) || stores.has(sink))) {
      log('info', `${sink.name} is ready: ${sink.describe()}`, details);
    }
  };
  return Object.assign(tell, { store: (sink: Sink) => void stores.add(sink) });
}
