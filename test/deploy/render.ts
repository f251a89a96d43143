import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from './objects.ts';

const run = promisify(execFile);

export const CHART = 'deploy/helm/steptap';

/**
 * Tests that need these programs, none of which asks a cluster for anything. Where one is missing they are skipped, and with `CI=true` that fails.
 */
export async function withPrograms(programs: readonly string[], tests: () => void): Promise<void> {
  const missing: string[] = [];
  for (const program of programs) {
    const args = program === 'kubectl' ? ['version', '--client'] : [program === 'helm' ? 'version' : '--version'];
    await run(program, args).catch(() => missing.push(program));
  }
  test.runIf(process.env['CI'] === 'true')(`${programs.join(' and ')} can be run`, () => expect(missing).toEqual([]));
  const why = missing.length === 0 ? '' : ` (not installed: ${missing.join(', ')})`;
  describe.skipIf(why !== '')(`with ${programs.join(', ')}${why}`, () => {
    tests();
  });
}

/** What `kubectl apply -k` would apply; no cluster is asked. */
export async function kustomize(directory: string): Promise<KubeObject[]> {
  return objectsIn((await run('kubectl', ['kustomize', directory])).stdout);
}

export interface Release {
  readonly name?: string;
  readonly namespace?: string;
  readonly values?: object;
  /** What the cluster knows beyond Kubernetes itself. */
  readonly apis?: readonly string[];
}

export const OPERATOR = ['monitoring.coreos.com/v1/PodMonitor'];

/** What `helm install` would install, without the pods of `helm test`. Rejects with what helm says when it refuses. */
export async function helm(release: Release = {}): Promise<KubeObject[]> {
  const objects = objectsIn(await helmText(release));
  return objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
}

export async function helmText({
  name = 'steptap',
  namespace = name,
  values = {},
  apis = [],
}: Release): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'steptap-helm-'));
  try {
    const file = join(directory, 'values.yaml');
    await writeFile(file, JSON.stringify(values));
    const known = apis.flatMap((api) => ['--api-versions', api]);
    const args = ['template', name, CHART, '--namespace', namespace, '--values', file, ...known];
    return (await run('helm', args)).stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

export function objectsIn(text: string): KubeObject[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  for (const { errors } of documents) if (errors.length > 0) throw errors[0]!;
  return documents.map((document) => document.toJS() as KubeObject).filter((object) => object !== null);
}
