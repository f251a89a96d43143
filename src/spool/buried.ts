import { buriedRows, laneSource } from '../delivery/bury.ts';
import type { Header } from './format.ts';
import { decodePayload } from './payload.ts';
import { Place, type Shelf } from './place.ts';

/** Ids of the rows of which a lane has appended dead letters behind a record. Reads only records that hold some. */
export async function buriedIn(shelf: Shelf, lane: string, after: number): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const place = new Place(shelf);
  const letters = (header: Header): boolean => header.size.rejections > 0;
  try {
    for (let next = after + 1; ;) {
      const found = await place.read(next, letters);
      if (found === undefined) return ids;
      next = found.header.seq + 1;
      const batch = decodePayload(found.payload);
      if (batch.source === laneSource(lane)) for (const id of buriedRows(batch)) ids.add(id);
    }
  } finally {
    await place.leave();
  }
}
