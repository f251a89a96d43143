import type { Connection } from './connection.ts';

/** How many may be connected, how many of them unknown, and what all of them may hold together. */
export const MOST_CONNECTIONS = 512;
export const MOST_GREETING = 64;
const MOST_HELD_BYTES = 32 << 20;

/** How long a handshake may take, a message that has begun may stand still (while others wait for its memory: sooner), and a peer may say nothing. */
export const GREETING_MS = 5_000;
const HALF_MS = 30_000;
const HALF_IN_THE_WAY_MS = 1_000;
const SILENT_MS = 3_600_000;

/**
 * Everybody who is connected. Where there are too many, it is the one who has kept us waiting longest that goes, of strangers one of the address that has most of them:
 * whoever means well shakes hands in no time, and so gets through beside any number of others who do not. Where the messages that are not whole take too much memory, they are read in the order in which they began, and
 * one that stands still meanwhile is given up.
 */
export class Crowd {
  readonly #all = new Set<Connection>();
  readonly #held = new Map<Connection, number>();
  #bytes = 0;
  /** Those that are not read, since others hold too much. */
  readonly #queue = new Set<Connection>();
  readonly #sent_away: (connection: Connection, why: string) => void;

  constructor(sent_away: (connection: Connection, why: string) => void) {
    this.#sent_away = sent_away;
  }

  get all(): Iterable<Connection> {
    return this.#all;
  }

  get size(): number {
    return this.#all.size;
  }

  enter(connection: Connection): void {
    this.#all.add(connection);
    const greeting = this.#those(({ greeting: still }) => still);
    if (greeting.length > MOST_GREETING) this.#away(pushiest(greeting), 'others came while it did not shake hands');
    else if (this.#all.size > MOST_CONNECTIONS) {
      const idle = this.#those((each) => each.idle && each !== connection);
      idle.sort((a, b) => a.touched - b.touched);
      this.#away(idle[0] ?? connection, `there are more than ${MOST_CONNECTIONS} connections`);
    }
  }

  leave(connection: Connection): void {
    this.#all.delete(connection);
    this.#bytes -= this.#held.get(connection) ?? 0;
    this.#held.delete(connection);
    this.#queue.delete(connection);
    this.#admit();
  }

  /** What it holds of a message that is not whole has changed. */
  holds(connection: Connection): void {
    if (!this.#all.has(connection)) return;
    this.#bytes += connection.held - (this.#held.get(connection) ?? 0);
    this.#held.set(connection, connection.held);
    if (this.#bytes <= MOST_HELD_BYTES) this.#admit();
    else if (connection.begun !== undefined && connection !== this.#oldest()) {
      this.#queue.add(connection);
      connection.hold();
    }
  }

  /** Reads on where there is room. The oldest is always read on: else nobody would come to an end. */
  #admit(): void {
    if (this.#queue.size === 0) return;
    const oldest = this.#oldest();
    for (const connection of this.#queue) {
      if (this.#bytes > MOST_HELD_BYTES && connection !== oldest) continue;
      this.#queue.delete(connection);
      connection.goOn();
    }
  }

  /** Whose message that is not whole began first. */
  #oldest(): Connection | undefined {
    let oldest: Connection | undefined;
    for (const each of this.#all) {
      if (each.begun !== undefined && each.begun < (oldest?.begun ?? Number.POSITIVE_INFINITY)) oldest = each;
    }
    return oldest;
  }

  /** Sends away whose time is over. */
  look(now: number): void {
    for (const connection of this.#all) {
      const { greeting, since, begun, touched, idle } = connection;
      if (greeting) {
        if (now - since > GREETING_MS) this.#away(connection, `no handshake within ${GREETING_MS / 1000} s`);
      } else if (!idle) continue;
      else if (begun === undefined) {
        if (now - touched > SILENT_MS) this.#away(connection, 'it was silent for an hour');
      } else {
        const in_the_way = this.#queue.size > 0;
        const still = now - touched > (in_the_way ? HALF_IN_THE_WAY_MS : HALF_MS);
        if (still || (in_the_way && now - begun > HALF_MS)) this.#away(connection, 'it stopped in the middle');
      }
    }
  }

  #those(which: (connection: Connection) => boolean): Connection[] {
    return [...this.#all].filter(which);
  }

  #away(connection: Connection, why: string): void {
    this.leave(connection);
    connection.close();
    this.#sent_away(connection, why);
  }
}

/** The oldest of the address that has most of them. */
function pushiest(connections: readonly Connection[]): Connection {
  const by = new Map<string, Connection[]>();
  for (const each of connections) by.set(each.address, [...(by.get(each.address) ?? []), each]);
  const [most] = [...by.values()].sort((a, b) => b.length - a.length);
  return most![0]!;
}
