import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { yaml } from '../config/yaml.ts';
import { errorCode, UsageError } from '../errors.ts';
import type { Access, Held } from './credentials.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A named cluster, user or context, and the file in which it stands. */
interface Entry {
  readonly fields: Fields;
  readonly file: string;
}

/**
 * The access that a context of some kubeconfigs gives. As for kubectl, of two entries with one name the first counts, and paths are relative to the file that
 * says them. Throws a UsageError that says what is wrong, and nothing of what is secret.
 */
export function readKubeconfig(files: readonly string[], context: string | undefined): Access {
  const configs = files.map((file) => ({ file, fields: read(file) }));
  const where = `kubeconfig ${files.join(':')}`;
  const find = (section: string, name: string): Entry | undefined => {
    for (const { file, fields } of configs) {
      const found = list(fields[section]).find((each) => mapping(each)['name'] === name);
      // `clusters` hold a `cluster`, `users` a `user`.
      if (found !== undefined) return { fields: mapping(mapping(found)[section.slice(0, -1)]), file };
    }
    return undefined;
  };
  const named = (section: string, name: string): Entry => {
    const found = find(section, name);
    if (found !== undefined) return found;
    const names = configs.flatMap(({ fields }) => list(fields[section]).map((each) => String(mapping(each)['name'])));
    throw new UsageError(
      `${where}: ${section} has no ${JSON.stringify(name)}; there are ${names.join(', ') || 'none'}`,
    );
  };
  const chosen = context ?? configs.map(({ fields }) => text(fields['current-context'])).find((name) => name !== '');
  if (chosen === undefined) throw new UsageError(`${where} has no current-context: name one with context`);
  const { fields: at } = named('contexts', chosen);
  const cluster = named('clusters', text(at['cluster']));
  const user = text(at['user']) === '' ? { fields: {}, file: '' } : named('users', text(at['user']));
  refuse(where, cluster.fields, user.fields);
  const server = text(cluster.fields['server']);
  if (!URL.canParse(server) || !/^https?:/.test(server)) {
    throw new UsageError(`${where}: the server of cluster ${text(at['cluster'])} is no http or https address`);
  }
  const serverName = text(cluster.fields['tls-server-name']);
  return {
    url: new URL(server),
    from: `${where}, context ${chosen}`,
    server_name: serverName === '' ? undefined : serverName,
    insecure: cluster.fields['insecure-skip-tls-verify'] === true,
    ca: held(cluster, 'certificate-authority'),
    cert: held(user, 'client-certificate'),
    key: held(user, 'client-key'),
    token: token(user),
  };
}

function read(file: string): Fields {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`kubeconfig ${file} cannot be read (${errorCode(error) ?? 'unknown error'})`);
  }
  const { LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const [wrong] = document.errors;
  // What the parser says of it may quote a token.
  if (wrong !== undefined) {
    throw new UsageError(`kubeconfig ${file}:${lines.linePos(wrong.pos[0]).line}: is no YAML (${wrong.code})`);
  }
  return mapping(document.toJS());
}

const REFUSED: readonly (readonly [key: string, why: string])[] = [
  ['proxy-url', 'names a proxy, and steptap asks the API directly: leave proxy-url out'],
  ['exec', 'gets its credentials from a program, which steptap does not run: use a token (kubectl create token)'],
  [
    'auth-provider',
    'gets its credentials from a plugin, which steptap does not have: use a token (kubectl create token)',
  ],
  ['username', 'has a user name and password, which Kubernetes does not take any more: use a token'],
  ['as', 'acts as somebody else, which steptap does not do: use the credentials of that user'],
];

function refuse(where: string, cluster: Fields, user: Fields): void {
  for (const [key, why] of REFUSED) if (key in cluster || key in user) throw new UsageError(`${where}: it ${why}`);
}

/** What stands in the kubeconfig wins over the file that it names. */
function held({ fields, file }: Entry, key: string): Held | undefined {
  const data = text(fields[`${key}-data`]);
  if (data !== '') return { data: Buffer.from(data, 'base64') };
  const path = text(fields[key]);
  return path === '' ? undefined : { file: resolve(dirname(file), path) };
}

/** A file wins: it is the one that is renewed. */
function token({ fields, file }: Entry): Held | undefined {
  const path = text(fields['tokenFile']);
  if (path !== '') return { file: resolve(dirname(file), path) };
  const given = text(fields['token']);
  return given === '' ? undefined : { data: Buffer.from(given) };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function mapping(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
