import type { DecodeOptions } from '../decode.ts';
import type { Sink } from '../sinks/sink.ts';
import type { Inputs } from './inputs.ts';
import { graceMs, stateSettings, type MetricsSettings, type Settings } from './settings.ts';
import type { PlannedStore } from './stores.ts';

/** What a running pipeline is to become, checked as far as it can be without touching what runs. */
export interface Plan {
  readonly settings: Settings;
  readonly decode: DecodeOptions;
  readonly sources: Inputs;
  readonly stores: readonly PlannedStore[];
  /** Those that are new, or not as they were. */
  readonly sinks: ReadonlyMap<PlannedStore, Sink>;
  readonly metrics: MetricsSettings | undefined;
}

/** Throws a UsageError for what cannot change while a pipeline runs. */
export function refuseFixed(settings: Settings, before: Settings): void {
  const refuse = (...path: string[]): never => {
    throw settings.pipeline.error([{ path, message: 'cannot change while steptap runs: restart it' }]);
  };
  if (JSON.stringify(stateSettings(settings)) !== JSON.stringify(stateSettings(before))) refuse('state');
  if (graceMs(settings) !== graceMs(before)) refuse('limits', 'grace_s');
  // Bytes of it are under way, and perhaps half a row.
  const output = ({ config }: Settings): string =>
    JSON.stringify(Object.entries(config.sinks ?? {}).filter(([, { type }]) => type === 'stdout'));
  if (output(settings) !== output(before)) refuse('sinks', 'stdout');
}

/** What a lane has settled is kept under its name: throws a UsageError when two sinks, by their names, have one. */
export function refuseSameLanes(
  { pipeline }: Settings,
  lanes: readonly (readonly [sink: string, lane: string])[],
): void {
  const taken = new Set(['dead-letters', 'prometheus']);
  for (const [sink, lane] of lanes) {
    if (taken.has(lane)) {
      const message = `another sink keeps under ${lane} what it has stored: give it another name`;
      throw pipeline.error([{ path: ['sinks', sink], message, name: true }]);
    }
    taken.add(lane);
  }
}
