import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Document, Node, Scalar, YAMLMap } from 'yaml';
import { errorCode } from '../errors.ts';
import { yaml } from './yaml.ts';

/** Where an option stands: names of options, and numbers in lists. */
export type Path = readonly (string | number)[];

/** What is wrong with a configuration, and where. */
export interface Problem {
  readonly path: Path;
  /** Says what is wrong and what to do; never quotes a secret. */
  readonly message: string;
  /** The name of the option is wrong, not its value. */
  readonly name?: boolean;
}

/** `file:line:column: message`, in the order of the file. */
export class ConfigErrors extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

/** A YAML file with its placeholders replaced, that knows where everything stands in it. */
export class ConfigDocument {
  readonly file: string;
  readonly #value: unknown;
  readonly text: string;
  readonly #lines = new (yaml().LineCounter)();
  readonly #document: Document.Parsed;
  readonly #filled: ReadonlySet<Scalar>;

  /**
   * Reads and parses it. Throws ConfigErrors that say all that is wrong; `named` is what the file is called in those of a file that cannot be read. Without an
   * `environment` there are no placeholders: `${` is text. `secret` hears of every file whose content stands in it, also of one that is missing.
   */
  constructor(
    file: string,
    environment: Readonly<Record<string, string | undefined>> | undefined,
    { named = `--config ${file}`, secret = () => {} }: { named?: string; secret?: (file: string) => void } = {},
  ) {
    this.file = file;
    this.text = read(file, named);
    this.#document = yaml().parseDocument(this.text, { lineCounter: this.#lines, merge: true, prettyErrors: false });
    const { errors, warnings } = this.#document;
    const wrong = [...errors, ...warnings].map(({ pos: [at], message }) => `${this.#place(at)}: ${discreet(message)}`);
    if (wrong.length > 0) throw new ConfigErrors(wrong);
    const filling = new Filling(file, environment ?? {}, secret);
    const found = environment === undefined ? [] : filling.all(this.#document);
    const problems = found.map(([at, message]) => `${this.#place(at)}: ${message}`);
    if (problems.length > 0) throw new ConfigErrors(problems);
    this.#filled = filling.filled;
    this.#value = this.#read();
  }

  /** As plain values; `null` for an empty file. */
  value(): unknown {
    return this.#value;
  }

  /** An alias of nothing is only found here. */
  #read(): unknown {
    let at = 0;
    const { visit } = yaml();
    visit(this.#document, {
      Alias: (_key, node) => {
        if (node.resolve(this.#document) !== undefined) return undefined;
        at = node.range?.[0] ?? 0;
        return visit.BREAK;
      },
    });
    try {
      return this.#document.toJS({ maxAliasCount: 1000 });
    } catch (error) {
      throw new ConfigErrors([`${this.#place(at)}: ${discreet((error as Error).message)}`]);
    }
  }

  has(path: Path): boolean {
    return path.length === 0 || this.#find(path) !== undefined;
  }

  /** `file:line:column` of the option, or of what it would stand in. */
  place(path: Path, name = false): string {
    let found = this.#find(path);
    for (let length = path.length; found === undefined && length > 0;) found = this.#find(path.slice(0, --length));
    const node = name ? (found?.key ?? found?.node) : (found?.node ?? found?.key);
    return this.#place(node?.range?.[0] ?? 0);
  }

  /** True when the value came out of a placeholder: then it is text, whatever it was meant to be. */
  filled(path: Path): boolean {
    const node = this.#find(path)?.node;
    return yaml().isScalar(node) && this.#filled.has(node);
  }

  /** Of a mapping, or of one that is merged into it. */
  #item(map: YAMLMap, name: string): unknown {
    const { isAlias, isMap, isScalar, isSeq } = yaml();
    const named = (key: unknown): boolean => isScalar(key) && String(key.value) === name;
    const own = map.items.find(({ key }) => named(key));
    if (own !== undefined) return own;
    for (const { key, value } of map.items) {
      if (!isScalar(key) || key.value !== MERGE) continue;
      for (const each of isSeq(value) ? value.items : [value]) {
        const merged: unknown = isAlias(each) ? each.resolve(this.#document) : each;
        const found = isMap(merged) ? this.#item(merged, name) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #place(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  }

  /** The node at the path, and the name before it. */
  #find(path: Path): { key: Node | undefined; node: Node | undefined } | undefined {
    const { isAlias, isCollection, isMap, isNode, isPair } = yaml();
    let node: Node | undefined = this.#document.contents ?? undefined;
    let key: Node | undefined;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (!isCollection(node)) return undefined;
      const item: unknown = isMap(node) ? this.#item(node, String(part)) : node.items[Number(part)];
      if (item === undefined) return undefined;
      key = isPair(item) && isNode(item.key) ? item.key : undefined;
      const value: unknown = isPair(item) ? item.value : item;
      node = isNode(value) ? value : undefined;
    }
    return { key, node };
  }
}

const MERGE = '<<';

/** What a message of the parser quotes behind its colon may be a password that begins with `!`, `*`, `|` or a bracket. */
function discreet(message: string): string {
  return message
    .replace(/\s+/g, ' ')
    .replace(
      /^(Unresolved \w+(?: \(.*?\))?|Block scalar header .*?|Unexpected .*? in YAML stream): .*/,
      '$1: put text in quotes',
    );
}

const PLACEHOLDER = /\$(\$)?\{(?:(env|file):([^}]*)|([^}]*))\}/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Replaces `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` in every text; `$${` stands for `${`. */
class Filling {
  readonly filled = new Set<Scalar>();
  readonly #file: string;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #secret: (file: string) => void;

  constructor(file: string, environment: Readonly<Record<string, string | undefined>>, secret: (file: string) => void) {
    this.#file = file;
    this.#environment = environment;
    this.#secret = secret;
  }

  /** What cannot be replaced, with its offset. */
  all(document: Document): [number, string][] {
    const problems: [number, string][] = [];
    yaml().visit(document, {
      Scalar: (key, node) => {
        if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
        const at = node.range?.[0] ?? 0;
        const text = node.value;
        node.value = text.replace(PLACEHOLDER, (whole, escaped, kind, what, other) => {
          if (escaped !== undefined) return whole.slice(1);
          const value = this.#value(kind, what, other);
          if (typeof value === 'string') return value;
          problems.push([at, value.problem]);
          return '';
        });
        this.filled.add(node);
      },
    });
    return problems;
  }

  #value(kind: string | undefined, what = '', other = ''): string | { problem: string } {
    if (kind === 'env') {
      const [, name, fallback] = VARIABLE.exec(what) ?? [];
      if (name === undefined) return { problem: `\${env:${what}}: write \${env:NAME} or \${env:NAME:-default}` };
      const value = this.#environment[name] ?? fallback;
      return value ?? { problem: `the environment has no ${name}; set it, or write \${env:${name}:-default}` };
    }
    if (kind === 'file') return this.#content(what);
    return { problem: `\${${other}}: write \${env:NAME}, \${file:PATH}, or $\${${other}} for the text itself` };
  }

  /** Without the newline that editors and `echo` end a file in. Paths begin at the pipeline's own directory. */
  #content(path: string): string | { problem: string } {
    const full = resolve(dirname(this.#file), path);
    this.#secret(full);
    try {
      return readFileSync(full, 'utf8').replace(/\s+$/, '');
    } catch (error) {
      const code = errorCode(error);
      const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown error'})`;
      return { problem: `\${file:${path}}: ${reason}` };
    }
  }
}

function read(file: string, named: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'is a directory; name a file'
          : `cannot be read (${code ?? 'unknown error'})`;
    throw new ConfigErrors([`${named}: ${reason}`]);
  }
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
