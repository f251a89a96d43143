import { join } from 'node:path';

/** A segment, its index when it was removed, and one that was set aside. */
export type SpoolFileKind = 'seg' | 'idx' | 'seg.bad';

export interface SpoolFileName {
  readonly name: string;
  readonly number: number;
  readonly kind: SpoolFileKind;
}

const NAME = /^([0-9]{12})\.(seg|idx|seg\.bad)$/;

export function spoolPath(directory: string, number: number, kind: SpoolFileKind): string {
  return join(directory, `${String(number).padStart(12, '0')}.${kind}`);
}

/** Those of the names that are a spool's files, in the order of their numbers. */
export function spoolNames(names: readonly string[]): SpoolFileName[] {
  return names
    .flatMap((name): SpoolFileName[] => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ name, number: Number(match[1]), kind: match[2] as SpoolFileKind }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
