import { DIALECTS } from '../dialects/registry.ts';
import type { CheckItem } from '../check/item.ts';
import { bytesText } from '../check/words.ts';
import type { DecodeOptions } from '../decode.ts';
import { metricsSettings, graceMs, type Settings } from './settings.ts';

/** What a pipeline comes to, for whoever wonders; whatever could be wrong with it was told before. Nothing of a secret but that it is there. */
export function pipelineItems(settings: Settings, decode: DecodeOptions): CheckItem[] {
  const { pipeline, config } = settings;
  const says: [string, string | undefined][] = [
    ['files', pipeline.files.join(', ') || 'none: as the command line says'],
    ['dialects', dialects(decode)],
    ['events', config.events === undefined ? undefined : Object.keys(config.events).join(', ')],
    ['event types', eventTypes(settings)],
    ['constants', assigned(decode.constants)],
    ['timezone', config.enrichment?.timezone],
    ['privacy', privacy(decode)],
    ['limits', `lines of ${bytesText(decode.max_line_bytes)}, ${graceMs(settings) / 1000} s to end in`],
    ['metrics', metricsSettings(settings) === undefined ? 'none' : undefined],
  ];
  return says.flatMap(([what, found]) => (found === undefined ? [] : [{ what, where: '', state: 'ok', found }]));
}

function dialects({ logs, disabled }: DecodeOptions): string {
  const read = ['flytekit', ...Object.keys(DIALECTS)].filter((name) => disabled?.has(name) !== true);
  return [...read, logs ? 'log' : 'log (counted, not stored)'].join(', ');
}

function eventTypes({ pipeline: { types } }: Settings): string | undefined {
  if (types === undefined) return undefined;
  return [...types.types.keys(), `unknown ones: ${types.unknown}`].join(', ');
}

function assigned(values: DecodeOptions['constants']): string | undefined {
  const given = Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`);
  return given.length === 0 ? undefined : given.join(', ');
}

function privacy({ privacy }: DecodeOptions): string {
  const { params, attributes, drop, mask, hash, keep_raw } = privacy;
  const rules = [
    `params ${names(params)}`,
    `attributes ${names(attributes)}`,
    ...(drop.length === 0 ? [] : [`drop ${names(drop)}`]),
    ...(mask.length === 0 ? [] : [`mask ${names(mask)}`]),
    ...(hash.length === 0 ? [] : [`hash ${names(hash)} (its secret is there)`]),
    ...(keep_raw ? ['dead letters keep the raw line'] : []),
  ];
  return rules.join('; ');
}

function names(said: 'all' | readonly string[]): string {
  return said === 'all' ? said : said.join(', ') || 'none';
}
