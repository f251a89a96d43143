import { clickhouseClient } from './library.ts';

/** The embedded engine, for queries. */
export interface Embedded {
  /** Runs one statement and gives what it prints. Rejects with the engine's message. */
  query(sql: string): Promise<string>;
  close(): Promise<void>;
}

/** Opens the engine in `path`; several times in one process is fine, in a second process it fails. Needs the package `chdb`. */
export async function openEmbedded(path: string): Promise<Embedded> {
  const { createClient } = clickhouseClient();
  const { createChdbConnection } = await import('chdb/connection');
  const client = createClient({ connection: createChdbConnection({ path }) } as unknown as Parameters<
    typeof createClient
  >[0]);
  return {
    async query(sql) {
      const { stream } = await client.exec({ query: sql });
      const pieces: Buffer[] = [];
      for await (const piece of stream) pieces.push(Buffer.from(piece as Buffer | string));
      return Buffer.concat(pieces).toString('utf8');
    },
    close: () => client.close(),
  };
}

/** True when the package `chdb` can be loaded. */
export async function embeddedInstalled(): Promise<boolean> {
  try {
    import.meta.resolve('chdb/connection');
    await import('chdb/connection');
    return true;
  } catch {
    return false;
  }
}
