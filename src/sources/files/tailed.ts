import type { Appends, UnderWay } from '../../appends.ts';
import type { Position } from '../../batch.ts';
import type { Decoder, Start } from '../../decode.ts';
import { LineCutter } from '../../framing/lines.ts';
import type { Intake } from '../../intake.ts';
import type { OriginFields } from '../../origin.ts';
import type { Tools } from '../../tools.ts';
import type { Generations } from '../file/generations.ts';
import type { Places } from '../file/places.ts';
import type { Place } from '../../kubernetes/path.ts';

/** What a log is read with. */
interface Parts {
  readonly cutter: LineCutter;
  readonly appends: Appends;
  decoder: Decoder;
  tools: Tools;
  origin: OriginFields | undefined;
}

/** What becomes of a log: `waiting`, nobody has said yet whose it is; `excluded`, it is not read. Its files are held all the while, but not of an excluded one. */
export type TailedState = 'waiting' | 'reading' | 'excluded';

/** One log, from its bytes to the spool. */
export class Tailed {
  /** Without links. Its position is kept under it. */
  readonly path: string;
  readonly place: Place | undefined;
  readonly files: Generations;
  readonly #places: Places;
  readonly #counted: string;
  state: TailedState = 'waiting';
  /** What its rows say of where they come from. */
  origin: OriginFields | undefined;
  /** True while a read of it is under way. */
  busy = false;
  /** An earlier process has left in its position what will not go on. */
  severed: boolean;
  #parts: Parts | undefined;

  constructor(
    path: string,
    place: Place | undefined,
    files: Generations,
    places: Places,
    { counted, severed }: { readonly counted: string; readonly severed: boolean },
  ) {
    this.path = path;
    this.place = place;
    this.files = files;
    this.#places = places;
    this.#counted = counted;
    this.severed = severed;
  }

  /** Of what was not read yet. */
  get position(): Position {
    return this.#places.of(this.files.offset);
  }

  /** True while an event is unfinished that ends when nothing more comes. */
  get open(): boolean {
    return this.#parts?.decoder.open === true;
  }

  /** Decodes what was read, and appends it. Resolves when more may be decoded. */
  async take(bytes: Buffer, intake: Intake, tools: Tools, under_way: UnderWay): Promise<void> {
    const { cutter, appends } = await this.#ready(intake, tools, under_way);
    cutter.limit(tools.options.max_line_bytes);
    for (const chunk of cutter.push(bytes)) await appends.add(this.#parts!.decoder.feed(chunk));
  }

  /** Lets go of what its stream says nothing more about. */
  async quiet(): Promise<void> {
    if (this.#parts !== undefined) await this.#parts.appends.add(this.#parts.decoder.flush('quiet'));
  }

  /** Reading goes on another time. */
  async leave(): Promise<void> {
    await this.#parts?.appends.end(this.#parts.decoder.flush('nothing'));
  }

  /** There is nothing of it any more, and its position is forgotten. */
  async end(intake: Intake, tools: Tools, under_way: UnderWay): Promise<void> {
    const { cutter, appends, decoder } = await this.#ready(intake, tools, under_way);
    for (const chunk of cutter.end('whole')) await appends.add(decoder.feed(chunk));
    const { batch, counts } = decoder.flush('all');
    await appends.end({ batch: { ...batch, ended: true }, counts });
  }

  async #ready(intake: Intake, tools: Tools, under_way: UnderWay): Promise<Parts> {
    const parts = (this.#parts ??= this.#begin(intake, tools, under_way));
    if (parts.tools !== tools) {
      const { offset, state } = parts.decoder;
      parts.decoder = this.#decoder(intake, tools, { offset, from: parts.decoder.position(), state });
      parts.tools = tools;
      parts.origin = undefined;
    }
    if (this.origin !== undefined && parts.origin !== this.origin) {
      parts.decoder.from(this.origin);
      parts.origin = this.origin;
    }
    if (this.severed) {
      this.severed = false;
      await parts.appends.add(parts.decoder.flush('all'));
    }
    return parts;
  }

  #begin(intake: Intake, tools: Tools, under_way: UnderWay): Parts {
    const { offset } = this.files;
    const from = intake.positions.get(this.path);
    const decoder = this.#decoder(intake, tools, { offset, from, state: intake.state(this.path) });
    const source = { name: this.path, resumes: true, counted: this.#counted };
    const decoded = (): number => this.#parts?.decoder.offset ?? offset;
    return {
      cutter: new LineCutter(tools.options.max_line_bytes, offset),
      decoder,
      tools,
      origin: undefined,
      appends: intake.appends(source, decoded, under_way),
    };
  }

  #decoder(intake: Intake, tools: Tools, start: Start): Decoder {
    const source = { name: this.path, framing: 'cri', position: (at: number) => this.#places.of(at) } as const;
    return intake.decoder(source, start, tools);
  }
}
