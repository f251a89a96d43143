import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, inject } from 'vitest';
import type { SearchKind, SearchServer } from './search-server.ts';

/** What tests have of a server that is lent to them: it is not theirs to stop. */
export type LentServer = Omit<SearchServer, 'stop'>;

/**
 * A describe block whose tests share one server, which is empty when they begin. Where the
 * server cannot be run the tests are skipped with the reason; with CI=true they fail instead.
 */
export function describeWithServer(kind: SearchKind, tests: (server: () => LentServer) => void): void {
  describe(`with ${kind}`, () => {
    let lent: { server: LentServer; giveBack: () => void } | undefined;
    let unavailable: string | undefined;
    beforeAll(async () => {
      const answer = await borrow(kind);
      if ('server' in answer) lent = answer;
      else if (process.env['CI'] === 'true') throw new Error(answer.unavailable);
      else ({ unavailable } = answer);
    });
    beforeEach(({ skip }) => {
      skip(unavailable !== undefined, unavailable);
    });
    afterAll(() => lent?.giveBack());
    tests(() => {
      if (!lent) throw new Error(`the ${kind} server is there only while a test runs`);
      return lent.server;
    });
  });
}

/** It is ours as long as the answer is open, so at the latest until this process ends. */
async function borrow(
  kind: SearchKind,
): Promise<{ server: LentServer; giveBack: () => void } | { unavailable: string }> {
  const asked = request(`${inject('search_servers')}/${kind}`, { method: 'POST', agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const [text] = (await once(answer, 'data')) as [Buffer];
  const said = text.toString('utf8');
  if (answer.statusCode === 404) return { unavailable: said };
  if (answer.statusCode !== 200) throw new Error(said);
  answer.on('error', () => undefined);
  return { server: JSON.parse(said) as LentServer, giveBack: () => asked.destroy() };
}
