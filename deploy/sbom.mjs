// Prints the CycloneDX SBOM of what runs: the packages of `npm ci --omit=dev --omit=optional --omit=peer`, as the lock file has them.
//
// `npm sbom --omit dev` alone leaves out packages that run and that some development tool asks for as well (npm 11.19: 3 of 23, the ClickHouse client among
// them). So it is asked about a project that has no such tools.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const without = ({ devDependencies: _tools, peerDependencies: _peers, peerDependenciesMeta: _meta, ...rest }) => rest;
const manifest = read('package.json');
const lock = read('package-lock.json');
const packages = Object.entries(lock.packages)
  .filter(([, { dev, devOptional, optional, peer }]) => !(dev || devOptional || optional || peer))
  .map(([path, entry]) => [path, path === '' ? without(entry) : entry]);

const directory = mkdtempSync(join(tmpdir(), 'steptap-sbom-'));
try {
  // npm names the application after its directory.
  const project = join(directory, manifest.name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify(without(manifest)));
  writeFileSync(
    join(project, 'package-lock.json'),
    JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }),
  );
  const options = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  execFileSync('npm', ['sbom', ...options], { cwd: project, stdio: ['ignore', 'inherit', 'inherit'] });
} finally {
  rmSync(directory, { recursive: true });
}
