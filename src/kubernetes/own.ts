import { NOWHERE, type OriginFields } from '../origin.ts';
import { variablesOf } from './origin-fields.ts';

/**
 * The pod that steptap itself runs in, as its manifest's downward API says it (`NODE_NAME`, and beside a task `POD_NAMESPACE`, `POD_NAME`, `POD_UID`,
 * `CONTAINER_NAME`), with what Flyte says in the same container; undefined if none of it is there.
 */
export function ownOrigin(environment: Readonly<Record<string, string | undefined>>): OriginFields | undefined {
  const get = (name: string): string => environment[name] ?? '';
  const texts = {
    namespace: get('POD_NAMESPACE'),
    pod: get('POD_NAME'),
    pod_uid: get('POD_UID'),
    container: get('CONTAINER_NAME'),
    node: get('NODE_NAME'),
  };
  const env = variablesOf(new Map(Object.entries(environment).map(([name, value = '']) => [name, value])));
  if (env.size === 0 && Object.values(texts).every((value) => value === '')) return undefined;
  return { ...NOWHERE, ...texts, env };
}
