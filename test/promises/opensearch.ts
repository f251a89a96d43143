import { searchServerUnavailable, startSearchServer } from '../support/search-server.ts';
import type { SearchBackend, StoredDocument } from './search-model.ts';

const PAGE = 5_000;

interface Page {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: readonly { readonly _index: string; readonly _source: unknown }[] };
}

/** A real OpenSearch, out of its jars. Rejects with the reason where there is none to be had. */
export async function startOpenSearch(): Promise<SearchBackend> {
  const unavailable = await searchServerUnavailable('opensearch');
  if (unavailable !== undefined) throw new Error(unavailable);
  const server = await startSearchServer('opensearch', { quickStart: true });
  const { url, version } = server;
  const ask = async (path: string, body?: object): Promise<Page> => {
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body ?? {}) };
    const answer = await fetch(`${url}${path}`, json);
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as Page;
  };
  async function* documents(): AsyncIterable<StoredDocument> {
    await ask('/steptap-*/_refresh');
    let page = await ask(`/steptap-*/_search?scroll=1m`, { size: PAGE, sort: ['_doc'] });
    while (page.hits.hits.length > 0) {
      for (const { _index: index, _source } of page.hits.hits) yield { index, source: JSON.stringify(_source) };
      page = await ask('/_search/scroll', { scroll: '1m', scroll_id: page._scroll_id });
    }
  }
  return { name: `OpenSearch ${version}`, url, documents, stop: () => server.stop() };
}
