import { members, valueText } from '../../json.ts';

/**
 * The values of a line as they were written, for what JSON.parse does not keep: numbers to the last digit, bare NaN and Infinity. Only read when somebody asks: of a task's event nobody does.
 */
export class Written {
  readonly #text: string;
  #members: ReadonlyMap<string, string> | undefined;
  #nested: ReadonlyMap<string, string> | undefined;

  /** `text`: what `value` was parsed from. */
  constructor(text: string) {
    this.#text = text;
  }

  /** JSON of a member, or what stands in its place. */
  json(name: string): string | undefined {
    this.#members ??= members(this.#text);
    return this.#members.get(name);
  }

  /** JSON of every member. */
  get all(): ReadonlyMap<string, string> {
    return (this.#members ??= members(this.#text));
  }

  /** The same of a member of `attributes`. */
  nested(name: string): string | undefined {
    this.#nested ??= members(this.json('attributes') ?? '{}');
    return this.#nested.get(name);
  }

  /** A member as text; undefined for null. */
  text(name: string, value: unknown): string | undefined {
    if (typeof value === 'number') return this.#number(name, value);
    return textOf(value) ?? valueText(this.json(name) ?? 'null');
  }

  nestedText(name: string, value: unknown): string | undefined {
    return textOf(value) ?? valueText(this.nested(name) ?? 'null');
  }

  /**
   * Where it stands is found without reading what stands before it; another number of the same name, deeper in the line, is no harm when it is the same. Two whole numbers that JSON.parse
   * cannot tell apart are not.
   */
  #number(name: string, value: number): string | undefined {
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return this.json(name);
    const start = this.#text.indexOf(`"${name}": `) + name.length + 4;
    const written = this.#text.slice(start, this.#text.indexOf(',', start));
    const whole = written.length > 0 && written.charCodeAt(0) > SPACE && written.charCodeAt(written.length - 1) > SPACE;
    return whole && Number(written) === value ? written : this.json(name);
  }
}

const SPACE = 0x20;

/** Of what is the same whoever writes it. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' ? String(value) : undefined;
}
