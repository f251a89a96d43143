import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Certificate } from './certificate.ts';

const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 30_000,
  // How often those two are looked at; the default of 30 s would make 35 s of the 5.
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
} as const;

const MOST_CONNECTIONS = 512;

/** An HTTP server whose clients cannot hold it: every wait for one has an end, and there are 512 at most. */
export function httpServer(certificate: Certificate | undefined): Server {
  const server = certificate === undefined ? createServer(LIMITS) : secure(certificate);
  server.maxConnections = MOST_CONNECTIONS;
  return server;
}

function secure(certificate: Certificate): TlsServer {
  const server = createTlsServer({ ...LIMITS, ...certificate.options });
  certificate.follow(server);
  return server;
}

/** Resolves when the port is free again; does not wait for any client. */
export async function closeNow(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    // Called with an error when it was closed before, which is as good.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The token of `Authorization: Bearer TOKEN`; empty when there is none. */
export function bearer(authorization: string | undefined): string {
  return /^bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1] ?? '';
}
