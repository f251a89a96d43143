import type { Get } from './match.ts';

type Values = Readonly<Record<string, unknown>>;

/** The fields of a row. What is behind the first point of a name is a key of the map before it, with all its points: `labels.app.kubernetes.io/name`. */
export function rowFields(row: Values): Get {
  return (field) => {
    if (Object.hasOwn(row, field)) return row[field];
    const point = field.indexOf('.');
    const map = point === -1 ? undefined : own(row, field.slice(0, point));
    return typeof map === 'object' && map !== null ? own(map as Values, field.slice(point + 1)) : undefined;
  };
}

function own(values: Values, key: string): unknown {
  return Object.hasOwn(values, key) ? values[key] : undefined;
}
