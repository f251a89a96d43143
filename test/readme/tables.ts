import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { optionSchemas, optionTable } from '../../src/config/option-tables.ts';

const MARKED = /(<!-- options: (\S+) -->\n)[^]*?(<!-- \/options -->)/g;

/** The text with every table between its markers as the schemas say it. Throws where a marker names nothing. */
export function withTables(text: string): string {
  const schemas = optionSchemas();
  return text.replace(MARKED, (_whole, start: string, name: string, end: string) => {
    const schema = schemas.get(name);
    if (schema === undefined) throw new Error(`<!-- options: ${name} -->: there are ${[...schemas.keys()].join(', ')}`);
    return `${start}\n${optionTable(schema)}\n\n${end}`;
  });
}

/** What the markers name. */
export function marked(text: string): string[] {
  return [...text.matchAll(MARKED)].map(([, , name]) => name!);
}

// npx tsx test/readme/tables.ts
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync('README.md', withTables(readFileSync('README.md', 'utf8')));
}
