/** One event of a `text/event-stream`. */
export interface Message {
  readonly event: string;
  readonly data: string;
}

const LONGEST = 32 << 20;

/** The events of a stream, without its comments. Throws for one that is longer than any row. */
export async function* messagesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    // The end may have come apart just before this piece.
    let from = Math.max(0, rest.length - 1);
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = rest.indexOf('\n\n', from); end !== -1; end = rest.indexOf('\n\n', from)) {
      const message = messageOf(rest.slice(start, end));
      if (message !== undefined) yield message;
      start = end + 2;
      from = start;
    }
    rest = rest.slice(start);
    if (rest.length > LONGEST) throw new Error('what comes is no stream of events');
  }
}

/** Undefined for a comment. */
function messageOf(text: string): Message | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}
