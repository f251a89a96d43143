/** A line on standard output, which belongs to data. Control characters of what logs said never reach a terminal. */
export function print(text: string): void {
  process.stdout.write(`${process.stdout.isTTY ? text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, ' ') : text}\n`);
}

/** Lines of columns, numbers to the right; a column in which nothing stands is left out, and one of `rare` in which nothing but 0 does. */
export function table(
  rows: readonly Readonly<Record<string, string | number | undefined>>[],
  rare: readonly string[] = [],
): string {
  const stands = (name: string, cell: string | number | undefined): boolean =>
    (cell ?? '') !== '' && !(cell === 0 && rare.includes(name));
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => stands(name, row[name])),
  );
  const columns = names.map((name) => {
    const cells = rows.map((row) => String(row[name] ?? ''));
    const width = Math.max(name.length, ...cells.map(({ length }) => length));
    const right = rows.every((row) => typeof (row[name] ?? 0) === 'number');
    const pad = (text: string): string => (right ? text.padStart(width) : text.padEnd(width));
    return [name, ...cells].map(pad);
  });
  return Array.from({ length: rows.length + 1 }, (_, n) =>
    columns
      .map((column) => column[n]!)
      .join('  ')
      .trimEnd(),
  ).join('\n');
}
