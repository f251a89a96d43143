import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { errorCode, UsageError } from '../errors.ts';
import type { Log } from '../log.ts';

/** A secret as it is given: itself, out of the environment, or a file. */
export interface SecretOptions {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
}

/**
 * What somebody has to know to be let in. A file may have several, one a line, each as good as the others: so one can be rotated while those who send still have the
 * other. It is read again when it has changed; while it cannot be read, or is empty, what it said before holds.
 *
 * No message has anything of it.
 */
export class Secret {
  readonly #named: string;
  readonly #file: string | undefined;
  readonly #log: Log;
  #values: readonly Buffer[] = [];
  #seen = '';

  /** `named`: how the option is called, as `token`. Throws a UsageError when there is nothing in it. */
  private constructor({ value, file }: SecretOptions, named: string, log: Log) {
    this.#named = named;
    this.#file = file;
    this.#log = log;
    if (value !== undefined) this.#values = [Buffer.from(value)];
    if (file === undefined) return;
    this.#seen = versionOf([file]);
    const found = secretFile(file);
    if (typeof found === 'string') throw new UsageError(`${named}_file ${file}: ${found}`);
    this.#values = found;
  }

  /** Undefined when none is given. */
  static of(options: SecretOptions, named: string, log: Log): Secret | undefined {
    return options.value === undefined && options.file === undefined ? undefined : new Secret(options, named, log);
  }

  /** Those that are good now. */
  get values(): readonly Buffer[] {
    if (this.#file !== undefined) this.#again(this.#file);
    return this.#values;
  }

  /** The one that it is; undefined when it is none of them. Takes as long for a wrong one as for a right one. */
  match(given: string | Buffer): Buffer | undefined {
    let found: Buffer | undefined;
    const digest = digestOf(given);
    for (const value of this.values) if (timingSafeEqual(digestOf(value), digest)) found = value;
    return found;
  }

  #again(file: string): void {
    const seen = versionOf([file]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    const found = secretFile(file);
    if (typeof found !== 'string') this.#values = found;
    else this.#log('warning', `${this.#named}_file ${file}: ${found}; what it said before still holds`);
  }
}

/** The secrets that a file has, or what is wrong with it. */
export function secretFile(file: string): readonly Buffer[] | string {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    const values = lines.map((line) => line.trim()).filter((line) => line !== '');
    return values.length === 0 ? 'is empty' : values.map((value) => Buffer.from(value));
  } catch (error) {
    return unreadable(error);
  }
}

/** Changes when one of the files does: also when a link on the way to it, which is how Kubernetes brings in a new secret. */
export function versionOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false });
      return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    })
    .join('\n');
}

export function unreadable(error: unknown): string {
  const code = errorCode(error);
  return code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code ?? 'unknown error'})`;
}

function digestOf(text: string | Buffer): Buffer {
  return createHash('sha256').update(text).digest();
}
