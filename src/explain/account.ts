import type { Part, Source } from '../observer.ts';

/** A thing that was done, and by which part of the decoder. */
export interface Note {
  readonly part: Part;
  /** The key, the field or the thing that it is about; `''` for the line. */
  readonly about: string;
  readonly text: string;
}

/** A text that a dialect read. */
export interface Read {
  readonly text: string;
  readonly kind: 'text' | 'object' | 'merged';
}

/** What was told of a line so far, or of several that become one event. */
export class Account {
  /** Numbers of physical lines, from 1. */
  lines: number[];
  reads: Read[] = [];
  notes: Note[] = [];
  readonly framing: Note[] = [];
  /** Where fields come from: of the frame, which holds for every event of the line, and of the event. */
  readonly framed = new Map<string, Source>();
  from = new Map<string, Source>();

  constructor(lines: number[]) {
    this.lines = lines;
  }

  note(note: Note): void {
    const notes = note.part === 'framing' ? this.framing : this.notes;
    if (!notes.some(({ about, text }) => about === note.about && text === note.text)) notes.push(note);
  }

  /** Before a dialect reads anything it is the frame that speaks. */
  source(field: string, source: Source): void {
    (this.reads.length === 0 ? this.framed : this.from).set(field, source);
  }

  /** Takes what was told of a later line of the same event. Every line has a timestamp before it: the first one's stands for all. */
  take(later: Account): void {
    const told = new Set(this.framing.map(({ about }) => about));
    this.lines = [...new Set([...this.lines, ...later.lines])];
    this.framing.push(...later.framing.filter(({ about }) => !told.has(about)));
    this.reads.push(...later.reads);
    for (const note of later.notes) this.note(note);
    for (const [field, source] of later.framed) if (!this.framed.has(field)) this.framed.set(field, source);
    for (const [field, source] of later.from) if (!this.from.has(field)) this.from.set(field, source);
  }

  /** What comes next on the same line is another event in the same frame. Gives the one that was. */
  next(): Account {
    const { lines, reads, notes, framing, framed, from } = this;
    this.reads = [];
    this.notes = [];
    this.from = new Map();
    return Object.assign(new Account(lines), { reads, notes, from, framing: [...framing], framed: new Map(framed) });
  }
}
