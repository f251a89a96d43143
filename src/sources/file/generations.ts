import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { GzFile } from './gz-file.ts';
import { byName, isTimed, isYounger, type Entry } from './listing.ts';
import { LogFile, type Generation } from './log-file.ts';
import type { Places } from './places.ts';
import { sameFile, type FilePosition, type Fingerprint, type Identity } from './position.ts';

/** Whoever writes opens the new file some time after the rename, and may write to the old one until then; of several, some may do so later than others. */
const LATE_MS = 500;
/** A runtime is alone with its log: when the new file has something, the old one is closed, but for a write that is under way. */
const ALONE_MS = 20;
/** Files that were read to their end, which may turn up compressed. */
const REMEMBERED = 16;

const NEWLINE = Buffer.from('\n');

export interface GenerationsOptions {
  /** As it is named in what is said. */
  readonly path: string;
  readonly follow: boolean;
  readonly places: Places;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes that were there and cannot be read any more; 0 where nobody knows how many. */
  readonly lost?: (bytes: number) => void;
  /** Told of a file that cannot be opened, which is tried again at the next look; without it, that is thrown. */
  readonly failed?: (path: string, error: Error) => void;
  /** True for a path that nobody has vouched for: a link in its place is not followed. */
  readonly guarded?: boolean;
  /** True when one process alone writes it. */
  readonly alone?: boolean;
}

/** Where a log is begun of which no position says how far it was read. */
export type Beginning =
  /** The file at the path. */
  | 'current'
  /** Every file that there is of it. */
  | 'all'
  /** What is written from now on. */
  | 'end';

interface Held {
  readonly file: Generation;
  /** When it was last seen to change, since it left the path; undefined while it is there. */
  changed_ms: number | undefined;
  /** True when it has no name any more. */
  deleted: boolean;
}

/**
 * The files of one log, one after the other: each is opened as soon as it is seen and read to its end, wherever it is by then.
 *
 *   in hand    the oldest that was not read to its end; it is what `read` reads
 *   held       younger ones, in their order; the last may be the one at the path, which is still written to
 *   left       read to its end and not the last, with nothing new for a while (LATE_MS): closed
 *
 * Whoever has it says what there is (`see`), whenever the directory may have changed. Between two files stands a newline if the first does not end in one: their
 * lines never merge.
 */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #held: Held[] = [];
  /** What was there when it was last looked: it is not opened again. */
  #known = new Set<string>();
  /** What the files began with that were read to their end. */
  readonly #finished: Fingerprint[] = [];
  /** Identity of the file at the path, as it was last seen there. */
  #current: Identity | undefined;
  /** How many files it has. */
  #count = 0;
  /** Offset in the stream of all of them, and where that begins. */
  #at = 0;
  #start = 0;
  /** True when the last read found nothing more. */
  #ended = false;
  /** The last byte that came out, if any did. */
  #last = NEWLINE[0];

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  /** Where the stream of its bytes begins: the offset in the first file. */
  get offset(): number {
    return this.#start;
  }

  /** True while a file is held. */
  get any(): boolean {
    return this.#held.length > 0;
  }

  /** Begins without a position. */
  begin(entries: readonly Entry[], from: Beginning): void {
    this.#look(entries);
    const wanted = from === 'all' ? entries : entries.filter(({ kind }) => kind === 'current');
    this.#pass(entries, wanted);
    const files = this.#open(wanted);
    const [first] = files;
    if (from === 'end' && first instanceof LogFile) first.skip();
    this.#hold(files);
  }

  /** Begins at a position. False if its file is not there any more, nor what became of it: then everything younger is read. */
  resume(entries: readonly Entry[], position: FilePosition): boolean {
    this.#look(entries);
    const found = this.#find(entries, position);
    const wanted = entries.filter((entry) => entry !== found?.entry && isAfter(entry, found?.entry, position));
    this.#pass(entries, wanted);
    if (found !== undefined) this.#finish(position.fingerprint);
    const files = this.#open(wanted).filter((file) => {
      const unread = found !== undefined || !(file instanceof GzFile) || file.isAfter(position);
      if (!unread) file.close();
      return unread;
    });
    this.#hold(found === undefined ? files : [found.file, ...files]);
    return found !== undefined;
  }

  /** What there is now. */
  see(entries: readonly Entry[]): void {
    const known = this.#known;
    const before = this.#current;
    const fresh = entries.filter(({ identity }) => !known.has(keyOf(identity)));
    this.#look(entries);
    this.#age();
    const current = this.#current;
    const stays = before !== undefined && current !== undefined && sameFile(before, current);
    // While the file at the path is the same, nothing was rotated: they are copies of it, or older ones that were compressed or renamed.
    if (stays || fresh.length === 0) return;
    const inHand = this.#held[0]?.file.identity;
    const wanted = fresh.filter(({ kind, identity }) => {
      if (kind === 'current') return true;
      // With nothing in hand, nobody can say whether a compressed one was read before.
      return inHand === undefined ? kind === 'rotated' : kind === 'compressed' || isYounger(identity, inHand);
    });
    const files = this.#open(wanted).filter((file) => {
      const before = inHand !== undefined && file instanceof GzFile && !file.isAfter(inHand);
      if (before) file.close();
      return !before;
    });
    this.#hold(files);
  }

  /** Looks for more at the end of what was read. */
  look(): boolean {
    const [held] = this.#held;
    if (held === undefined) return false;
    if (held.file.look() === 'same') return this.#mayLeave(held);
    this.#touch(held);
    return true;
  }

  /** The next bytes; undefined if there are none now. */
  async read(spare: () => Buffer | undefined): Promise<Buffer | undefined> {
    for (let held = this.#held[0]; held !== undefined; held = this.#held[0]) {
      if (this.#ended && this.#isAnew(held)) {
        const newline = this.#truncated(held, held.file as LogFile);
        if (newline !== undefined) return newline;
        continue;
      }
      const bytes = await this.#bytes(held, spare);
      if (bytes !== undefined) {
        this.#ended = false;
        this.#last = bytes.at(-1);
        this.#at += bytes.length;
        return bytes;
      }
      this.#ended = true;
      if (this.#isAnew(held)) continue;
      if (held.file.look() === 'grown') this.#touch(held);
      else if (this.#mayLeave(held)) {
        const newline = this.#leave(held);
        if (newline !== undefined) return newline;
      } else return undefined;
    }
    return undefined;
  }

  /** True when it is shorter than it was, or begins otherwise. */
  #isAnew({ file }: Held): boolean {
    if (!this.#options.follow || !(file instanceof LogFile)) return false;
    const now = file.look();
    return now === 'shrunk' || (now === 'grown' && file.rewritten);
  }

  /** Bytes of files that are not in the directory any more: the disk has them until they are read. */
  get deleted_bytes(): number {
    let bytes = 0;
    for (const { file, deleted } of this.#held) if (deleted) bytes += Math.max(0, file.size - file.offset);
    return bytes;
  }

  /** Gives up the deleted files; but not the one in hand, if there is one. Gives how many bytes of them were not read. */
  giveUp(in_hand: boolean): number {
    let bytes = 0;
    for (const held of this.#held.slice(in_hand ? 1 : 0).filter(({ deleted }) => deleted)) {
      bytes += held.file.size - held.file.offset;
      held.file.close();
      this.#held.splice(this.#held.indexOf(held), 1);
    }
    return bytes;
  }

  /** True when there is no file of it any more, and nothing new came out of the last for so long. */
  gone(ms: number): boolean {
    if (this.#count > 0 || this.#held.length > 1) return false;
    const [held] = this.#held;
    if (held === undefined) return true;
    return held.file.look() === 'same' && this.#options.clock.monotonic() - (held.changed_ms ?? Infinity) >= ms;
  }

  close(): void {
    for (const { file } of this.#held.splice(0)) file.close();
  }

  async #bytes({ file }: Held, spare: () => Buffer | undefined): Promise<Buffer | undefined> {
    try {
      return await file.read(spare);
    } catch (error) {
      if (!(file instanceof GzFile)) throw error;
      const { path, log, lost } = this.#options;
      log(
        'warning',
        `${path}: a compressed file of it is broken behind byte ${file.offset}, and what follows there is lost: ${(error as Error).message}`,
        { path },
      );
      lost?.(0);
      file.end();
      return undefined;
    }
  }

  #look(entries: readonly Entry[]): void {
    this.#count = entries.length;
    this.#known = new Set(entries.map(({ identity }) => keyOf(identity)));
    this.#current = entries.find(({ kind }) => kind === 'current')?.identity;
  }

  /** Remembers those that are not to be read: they are known when they turn up compressed. */
  #pass(entries: readonly Entry[], wanted: readonly Entry[]): void {
    for (const entry of entries) {
      if (wanted.includes(entry) || entry.kind === 'compressed') continue;
      const file = LogFile.open(entry.path, this.#options.guarded !== true);
      if (file !== undefined) this.#finish(file.fingerprint);
      file?.close();
    }
  }

  #finish(fingerprint: Fingerprint): void {
    this.#finished.push(fingerprint);
    if (this.#finished.length > REMEMBERED) this.#finished.shift();
  }

  /** Opens them in their order: the oldest is the next to be removed. */
  #open(entries: readonly Entry[]): Generation[] {
    const of = (kind: Entry['kind']): Entry[] => entries.filter((entry) => entry.kind === kind);
    const zipped = of('compressed')
      .sort(byName)
      .map((entry) => this.#try(entry, () => GzFile.open(entry.path)));
    const rotated = of('rotated').sort((one, other) => (isYounger(one.identity, other.identity) ? 1 : -1));
    const plain = [...rotated, ...of('current')].flatMap((entry) => this.#openPlain(entry) ?? []);
    const files: Generation[] = [];
    for (const file of zipped) {
      if (file !== undefined && this.#isNew(file, plain)) files.push(file);
      else file?.close();
    }
    return [...files, ...plain];
  }

  #openPlain(entry: Entry): LogFile | undefined {
    const file = this.#try(entry, () => LogFile.open(entry.path, this.#options.guarded !== true));
    if (file !== undefined && sameFile(file.identity, entry.identity)) return file;
    file?.close();
    this.#again(entry);
    return undefined;
  }

  #try<T>(entry: Entry, open: () => T | undefined): T | undefined {
    try {
      return open();
    } catch (error) {
      if (this.#options.failed === undefined) throw error;
      this.#options.failed(entry.path, error as Error);
      this.#again(entry);
      return undefined;
    }
  }

  /** Renamed just now, or compressed: the next look finds it as what it is then. */
  #again({ identity }: Entry): void {
    this.#known.delete(keyOf(identity));
    this.#current = undefined;
  }

  /** False for one that was read, or is held, as it was before it was compressed. */
  #isNew(file: GzFile, opened: readonly LogFile[]): boolean {
    const files = [...opened, ...this.#held.map((held) => held.file)];
    const begun = files.map((each) => (each instanceof LogFile ? each.begin() : each.fingerprint));
    return ![...this.#finished, ...begun].some((fingerprint) => file.begins(fingerprint));
  }

  #find(entries: readonly Entry[], position: FilePosition): { entry: Entry; file: Generation } | undefined {
    const { path, log, guarded = false } = this.#options;
    let why = `the file of which ${position.offset} bytes were read is gone`;
    const plain = entries.filter(({ kind }) => kind !== 'compressed');
    for (const entry of plain) {
      if (entry.kind !== 'current' && !sameFile(entry.identity, position)) continue;
      const file = LogFile.open(entry.path, !guarded);
      const found = file?.resume(position);
      if (file !== undefined && found === 'resumed') return { entry, file };
      file?.close();
      if (entry.kind === 'current' && found !== undefined && found !== 'resumed') why = WHY[found](position.offset);
    }
    for (const entry of entries) {
      if (entry.kind === 'current') continue;
      const file = entry.kind === 'compressed' ? GzFile.open(entry.path) : LogFile.open(entry.path, !guarded);
      if (file instanceof LogFile ? file.resumeCopy(position) : file?.resume(position) === true) {
        return { entry, file: file! };
      }
      file?.close();
    }
    log('warning', `${path} is read from its beginning: ${why}`, { path });
    this.#options.lost?.(0);
    return undefined;
  }

  /** Those that are not the last are not at the path any more. */
  #hold(files: readonly Generation[]): void {
    const first = this.#held.length === 0;
    for (const file of files) {
      const after = this.#held.findIndex((held, n) => n > 0 && isYounger(held.file.identity, file.identity));
      const last = this.#current !== undefined && sameFile(file.identity, this.#current);
      const at = after === -1 || last ? this.#held.length : after;
      this.#held.splice(at, 0, { file, changed_ms: undefined, deleted: false });
    }
    if (first && files.length > 0) this.#begin(files[0]!);
    this.#age();
  }

  #begin(file: Generation): void {
    if (this.#at === 0) this.#at = this.#start = file.offset;
    this.#options.places.begin(this.#at, file);
  }

  /** Notes what was still written to files that were renamed. */
  #age(): void {
    const now = this.#options.clock.monotonic();
    for (const held of this.#held) {
      const { file } = held;
      if (this.#current !== undefined && sameFile(file.identity, this.#current)) continue;
      held.deleted = !this.#known.has(keyOf(file.identity)) && file instanceof LogFile;
      const before = file.size;
      file.look();
      if (held.changed_ms === undefined || file.size > before) held.changed_ms = now;
    }
  }

  #touch(held: Held): void {
    if (held.changed_ms !== undefined) held.changed_ms = this.#options.clock.monotonic();
  }

  /** True when nothing more will be written to it, and there is another. */
  #mayLeave({ file, changed_ms }: Held): boolean {
    if (this.#held.length < 2) return false;
    const { follow, alone = false, clock } = this.#options;
    if (!follow) return true;
    if (file instanceof GzFile) return file.ended;
    const late = alone && this.#held[1]!.file.size > 0 ? ALONE_MS : LATE_MS;
    return clock.monotonic() - (changed_ms ?? Infinity) >= late;
  }

  #leave({ file }: Held): Buffer | undefined {
    this.#finish(file.fingerprint);
    file.close();
    this.#held.shift();
    return this.#goOn(this.#held[0]!.file);
  }

  #truncated(held: Held, file: LogFile): Buffer | undefined {
    const { path, log, lost } = this.#options;
    log('warning', `${path} was truncated; it is read from its beginning`, { path });
    lost?.(0);
    const anew = file.anew();
    this.#held[0] = { ...held, file: anew };
    return this.#goOn(anew);
  }

  #goOn(file: Generation): Buffer | undefined {
    this.#ended = false;
    const merged = this.#last !== NEWLINE[0];
    if (merged) this.#at += 1;
    this.#last = NEWLINE[0];
    this.#options.places.begin(this.#at, file);
    return merged ? NEWLINE : undefined;
  }
}

const WHY = {
  truncated: (offset: number) => `it was truncated: it is shorter than the ${offset} bytes that were read`,
  rewritten: () => 'it was written anew: it does not begin as it did',
  another: (offset: number) =>
    `it is another file than the one of which ${offset} bytes were read, and that one is gone`,
};

function keyOf({ dev, ino, birthtime_ns }: Identity): string {
  return `${dev} ${ino} ${birthtime_ns}`;
}

/**
 * Whether a file was begun after the one of a position, which was found as `found`. Where that is gone, all that were compressed are looked into: the oldest go
 * first, so that they may be younger.
 */
function isAfter(entry: Entry, found: Entry | undefined, position: FilePosition): boolean {
  if (entry.kind === 'current') return true;
  // What was copied before its file was truncated is younger than that, and was read.
  if (found?.kind === 'current') return false;
  if (entry.kind === 'rotated') return isYounger(entry.identity, found?.kind === 'rotated' ? found.identity : position);
  if (found === undefined) return true;
  if (isTimed(found) !== isTimed(entry)) return false;
  return byName(found, entry) < 0;
}
