// Cuts the schema of CycloneDX 1.5, which npm writes, out of the npm package @cyclonedx/cyclonedx-library (Apache-2.0), without descriptions and with the licences
// of SPDX inside. Signatures are not taken over: npm writes none.
//
//   node cyclonedx.mjs DIRECTORY/package/res/schema > cyclonedx-1.5.json
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const read = (name) => JSON.parse(readFileSync(join(process.argv[2], `${name}.SNAPSHOT.schema.json`), 'utf8'));
const spdx = { enum: read('spdx').enum };
const WORDS = new Set(['description', 'title', '$comment', 'examples', 'meta:enum']);

function bare(schema, names = false) {
  if (Array.isArray(schema)) return schema.map((each) => bare(each));
  if (typeof schema !== 'object' || schema === null) return schema;
  if (!names && schema.$ref?.startsWith('spdx.')) return spdx;
  if (!names && schema.$ref?.startsWith('jsf-')) return false;
  const kept = Object.entries(schema).filter(([key]) => names || !WORDS.has(key));
  return Object.fromEntries(
    kept.map(([key, value]) => [key, bare(value, !names && ['properties', 'definitions'].includes(key))]),
  );
}

console.log(JSON.stringify(bare(read('bom-1.5'))));
