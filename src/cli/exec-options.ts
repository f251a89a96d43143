import { Option } from 'commander';
import { UsageError } from '../errors.ts';
import { readAddress } from '../listening/address.ts';
import { runOptions, type RunFlags } from './run-options.ts';
import { metricsSettings, settingsOf, type Settings } from './settings.ts';
import { namedStores } from './stores.ts';

/** Of `steptap run`, about what a command under `exec` cannot choose. */
const NOT_HERE = [
  '--input',
  '--follow',
  '--from-start',
  '--no-store',
  '--stdout',
  '--drop-oldest',
  '--summary',
  '--metrics',
  '--grace',
];
const GRACE_S = 5;

export type ExecFlags = Omit<
  RunFlags,
  'input' | 'follow' | 'fromStart' | 'store' | 'stdout' | 'dropOldest' | 'summary'
>;

/** What `steptap exec` can be told. */
export function execOptions(): Option[] {
  return [
    ...runOptions().filter(({ long }) => !NOT_HERE.includes(long ?? '')),
    new Option(
      '--metrics <host:port>',
      'serve /metrics, /healthz and /readyz here while the command runs (default: none)',
    ).argParser(address),
    new Option('--grace <seconds>', `time to deliver the rest after the command has ended (default: ${GRACE_S})`),
  ];
}

function address(text: string): string {
  if (text === 'none' || readAddress(text) !== undefined) return text;
  throw new UsageError(`--metrics ${text}: it is not HOST:PORT, :PORT or [IPV6]:PORT`);
}

/** What that means for a run: what has to be quick or free of charge is, unless somebody says otherwise. */
export function execSettings(flags: ExecFlags): Settings {
  const settings = settingsOf(flags);
  const { config } = settings;
  const metrics = Object.values(config.sinks ?? {}).some(({ type }) => type === 'prometheus');
  const sinks = metrics
    ? config.sinks
    : { ...config.sinks, prometheus: { type: 'prometheus', listen: 'none' } as const };
  const told = { ...settings, config: { ...config, sinks: sinks!, limits: { grace_s: GRACE_S, ...config.limits } } };
  const [stdout] = namedStores(told).find(([, { type }]) => type === 'stdout') ?? [];
  if (stdout !== undefined) {
    throw settings.pipeline.error([{ path: ['sinks', stdout], message: 'standard output is that of the command' }]);
  }
  return told;
}

/** The sinks that keep rows. Nothing may hold the tape back: nobody waits for it, and it would only grow; so all of them give up their oldest. */
export function storesOf(settings: Settings): string[] {
  return namedStores(settings).map(([name]) => name);
}

/** False when nothing is to be done with what the command writes. */
export function namesSink(settings: Settings): boolean {
  return storesOf(settings).length > 0 || metricsSettings(settings) !== undefined;
}
