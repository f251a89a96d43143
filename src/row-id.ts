/** The identity of a row: `_src`, `_seq` and `_i`. As one text it is the document's `_id`, and what dead letters and people name it by. */
export interface RowId {
  readonly src: string;
  readonly seq: number;
  readonly i: number;
}

const ID = /^([0-9a-f]{16}-[0-9a-f]{12})-(\d+)-(\d+)$/;

export function rowIdText({ src, seq, i }: RowId): string {
  return `${src}-${seq}-${i}`;
}

/** Undefined for any other text. */
export function readRowId(text: string): RowId | undefined {
  const [, src, seq, i] = ID.exec(text) ?? [];
  return src === undefined ? undefined : { src, seq: Number(seq), i: Number(i) };
}
