import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Home, line } from '../cli/parts.ts';

const home = new Home();

const run = promisify(execFile);
const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const manifest = read('package.json') as { name: string; version: string; dependencies: Record<string, string> };
const lock = read('package-lock.json') as { packages: Record<string, Locked> };
const dockerfile = readFileSync('deploy/Dockerfile', 'utf8');

interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Sbom {
  readonly specVersion: string;
  readonly metadata: { readonly component: { readonly name: string; readonly version: string; readonly type: string } };
  readonly components: readonly { readonly purl: string; readonly hashes: readonly { readonly content: string }[] }[];
}

/** What runs: the dependencies, and theirs, by the rules of Node and not by the marks of the lock file. */
function runtime(): Map<string, Locked> {
  const found = new Map<string, Locked>();
  const visit = (from: string, name: string): void => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      const entry = lock.packages[path];
      if (entry === undefined && at === '') throw new Error(`${name} is not in the lock file`);
      if (entry === undefined) continue;
      if (found.has(path)) return;
      found.set(path, entry);
      for (const each of Object.keys(entry.dependencies ?? {})) visit(path, each);
      return;
    }
  };
  for (const name of Object.keys(manifest.dependencies)) visit('', name);
  return found;
}

describe('the SBOM', () => {
  let sbom: Sbom;
  beforeAll(async () => {
    sbom = JSON.parse((await run(process.execPath, ['deploy/sbom.mjs'])).stdout) as Sbom;
  });

  test('names exactly what runs, in the versions and with the checksums of the lock file', () => {
    const named = sbom.components.map(({ purl, hashes }) => [
      decodeURIComponent(purl),
      hashes.map(({ content }) => content),
    ]);
    const locked = [...runtime()].map(([path, { version, integrity }]) => [
      `pkg:npm/${path.split('node_modules/').at(-1)}@${version}`,
      [Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')],
    ]);
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(locked));
    expect(sbom.metadata.component).toMatchObject({
      name: manifest.name,
      version: manifest.version,
      type: 'application',
    });
  });

  test('is one, by the schema of CycloneDX', () => {
    const schema = read('test/deploy/schemas/cyclonedx-1.5.json') as object;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    expect(ajv.validate(schema, sbom), ajv.errorsText()).toBe(true);
    const [first] = sbom.components;
    expect(ajv.validate(schema, { ...sbom, components: [{ ...first, type: 'thing' }] })).toBe(false);
  });
});

describe('the image', () => {
  const directory = mkdtempSync(join(tmpdir(), 'steptap-image-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('gets files that are there, and that reach the build', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    const ignore = readFileSync('deploy/Dockerfile.dockerignore', 'utf8').split('\n');
    expect(copied.length).toBeGreaterThan(6);
    for (const name of copied)
      expect([name, existsSync(name), ignore.includes(`!${name}`)]).toEqual([name, true, true]);
  });

  test('is of this version, names no registry, and is not root', () => {
    expect(dockerfile).toContain(`ARG VERSION=${manifest.version}\n`);
    for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/^\$\{(NODE|RUNTIME)_IMAGE\}$/);
    expect(/^ARG RUNTIME_IMAGE$/m.test(dockerfile)).toBe(true);
    expect(/^USER (.+)$/m.exec(dockerfile)?.[1]).toBe('65532:0');
  });

  test('has all that steptap needs to store a step, and no embedded ClickHouse', async () => {
    cpSync('dist', join(directory, 'dist'), { recursive: true });
    cpSync('package.json', join(directory, 'package.json'));
    for (const path of runtime().keys()) {
      mkdirSync(join(directory, path, '..'), { recursive: true });
      cpSync(path, join(directory, path), { recursive: true, dereference: true });
    }
    const entry = join(directory, /^ENTRYPOINT \["[^"]+", "\/steptap\/(.+)"\]$/m.exec(dockerfile)![1]!);
    const { server, backend } = await home.clickhouse();
    const pipeline = join(directory, 'pipeline.yaml');
    writeFileSync(
      pipeline,
      `{sources: {stdin: }, sinks: {clickhouse: {urls: ['${server.url}']}, prometheus: {listen: none}}}`,
    );
    expect(await piped([entry, 'run', '--config', pipeline], line('only'))).toMatchObject({ code: 0 });
    expect(backend.rows.map(({ raw }) => raw)).toEqual(['only']);
    const { code, stderr } = await piped([entry, '--metrics', 'none'], line('only'));
    expect([code, stderr]).toEqual([0, expect.stringContaining('the embedded store is not installed')]);
  });

  async function piped(args: readonly string[], input: string): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, args, { cwd: home.path, stdio: ['pipe', 'ignore', 'pipe'] });
    child.stdin.end(input);
    const stderr = await text(child.stderr);
    return { code: child.exitCode ?? (await once(child, 'close'))[0], stderr };
  }
});
