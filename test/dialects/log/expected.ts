import type { TextLog } from '../../../src/dialects/log/text.ts';
import { parseTime } from '../../../src/time.ts';

export const TIME = '2026-11-20 10:30:45,123';
export const Z = '2026-11-20T10:30:45.123Z';

/** What readText says, in the short way of the tables: what is missing is not written down. */
export interface Expected extends Partial<Pick<TextLog, 'level' | 'logger'>> {
  message: string;
  time?: string;
  attributes?: Record<string, string>;
}

export function log({ message, level, logger, time, attributes = {} }: Expected): TextLog {
  const written = time === undefined ? undefined : parseTime(time);
  return { message, level, logger, time: written, attributes: Object.entries(attributes) };
}
