/** What a data URI says about the execution it belongs to; `''` or undefined where it says nothing. */
export interface UriIdentity {
  readonly project: string;
  readonly domain: string;
  readonly execution_id: string;
  readonly node_id: string;
  readonly attempt: number | undefined;
}

const NOTHING: UriIdentity = { project: '', domain: '', execution_id: '', node_id: '', attempt: undefined };

/** flytepropeller: `<scheme>://<bucket>/metadata/propeller/<project>-<domain>-<exec>/<node>[/..]/data/<attempt>[/outputs.pb]`, or `data/inputs.pb`. */
const METADATA = '/metadata/propeller/';
const DATA = '/data/';
/** Raw output: `<scheme>://<bucket>/<shard>/<pod name>/...`, where the pod name is `<exec>-<unique node id>-<attempt>`. */
const POD_NAME = /^-(.+)-(\d{1,5})$/;

/**
 * Reads the URI at the end of a Download or Upload step. `execution_id` and `domain` are what the line itself says, `''` if nothing:
 * they settle where the parts of a joined name begin. Names may contain `-`, so `<project>-<domain>-<execution>` is cut at one of the `domains` that are known.
 */
export function mineUri(uri: string, execution_id: string, domain: string, domains: readonly string[]): UriIdentity {
  const metadata = uri.indexOf(METADATA);
  if (metadata !== -1) {
    const known = domain === '' ? domains : [domain, ...domains];
    return mineMetadata(uri, metadata + METADATA.length, execution_id, known);
  }
  const pod = execution_id === '' ? -1 : uri.indexOf(`/${execution_id}-`);
  if (pod === -1) return NOTHING;
  const end = uri.indexOf('/', pod + 1);
  const rest = POD_NAME.exec(uri.slice(pod + 1 + execution_id.length, end === -1 ? uri.length : end));
  return rest === null ? NOTHING : { ...NOTHING, node_id: rest[1]!, attempt: Number(rest[2]) };
}

function mineMetadata(uri: string, start: number, execution_id: string, known: readonly string[]): UriIdentity {
  const nameEnd = uri.indexOf('/', start);
  const data = nameEnd === -1 ? -1 : uri.indexOf(DATA, nameEnd);
  if (data <= nameEnd) return NOTHING;
  const { project, domain: found, execution_id: name } = divide(uri.slice(start, nameEnd), execution_id, known);
  const last = uri.slice(data + DATA.length);
  const slash = last.indexOf('/');
  const attempt = slash === -1 ? last : last.slice(0, slash);
  return {
    project,
    domain: found,
    execution_id: name,
    node_id: uri.slice(uri.lastIndexOf('/', data - 1) + 1, data),
    attempt: /^\d{1,5}$/.test(attempt) ? Number(attempt) : undefined,
  };
}

/** `<project>-<domain>-<execution>`. */
function divide(name: string, execution_id: string, known: readonly string[]): UriIdentity {
  if (execution_id !== '' && name.endsWith(`-${execution_id}`)) {
    const scope = name.slice(0, -execution_id.length - 1);
    const found = known.find((each) => scope.endsWith(`-${each}`));
    if (found === undefined) return { ...NOTHING, execution_id };
    return { ...NOTHING, project: scope.slice(0, -found.length - 1), domain: found, execution_id };
  }
  for (const each of known) {
    const at = name.indexOf(`-${each}-`);
    if (at > 0) {
      return { ...NOTHING, project: name.slice(0, at), domain: each, execution_id: name.slice(at + each.length + 2) };
    }
  }
  return NOTHING;
}
