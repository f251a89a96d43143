import { hostname as machine } from 'node:os';
import type { FromSchema } from 'json-schema-to-ts';
import { failed, inTime, type CheckItem } from '../../check/item.ts';
import { EVENT_TABLES } from '../../fields.ts';
import { readAddress } from '../../listening/address.ts';
import { Secret } from '../../listening/secret.ts';
import { fileItems } from '../../outgoing/check.ts';
import { Tls } from '../../outgoing/tls.ts';
import {
  asSinkError,
  SinkError,
  STORED,
  tablesOf,
  TOLD_TABLES,
  type Outcome,
  type Part,
  type Sink,
  type SinkContext,
} from '../sink.ts';
import { chunkOf, Entries, frameOf } from './frame.ts';
import { Link, type LinkOptions } from './link.ts';
import { FORWARD_SINK_DEFAULTS, type forwardSinkOptions } from './schema.ts';

export type ForwardSinkOptions = Partial<FromSchema<typeof forwardSinkOptions>> & { readonly address: string };

export const FORWARD = 'forward';

/**
 * Passes events on, one part of a block a message. Its chunk is named after the part: a steptap that has stored it knows it when it comes again, after a lost answer,
 * or after either was killed. Throws when its options make no sense.
 *
 * FluentClient of @fluent-org/logger gives every attempt a new random chunk, and a queue of its own: the one would store twice what is in doubt, and the other is the lane's.
 */
export function createForwardSink(given: ForwardSinkOptions, context: SinkContext): Sink {
  const options = { ...FORWARD_SINK_DEFAULTS, ...given };
  const { require_ack, timeout_ms } = options;
  const link_options = linkOptions(options, context);
  const entries = new Entries();
  let link: Link | undefined;

  async function connected(signal: AbortSignal): Promise<Link> {
    if (link !== undefined && !link.broken) return link;
    link = await Link.open(link_options, signal);
    return link;
  }

  return {
    name: context.name ?? FORWARD,
    tables: tablesOf(EVENT_TABLES, context.tables ?? TOLD_TABLES),
    describe: () => `forward to ${link_options.where}`,
    check: async (signal) => [
      ...(options.tls === undefined ? [] : fileItems({ urls: [], tls: options.tls }, context.clock)),
      await receiverItem(link_options, signal),
    ],
    async open(signal) {
      await connected(signal);
    },
    async send(part: Part, signal: AbortSignal): Promise<Outcome> {
      const packed = entries.pack(part);
      if (packed === undefined) throw new SinkError('split', 'TOO_LARGE', 'more than one message may have');
      const { bytes, count } = packed;
      if (count === 0) return STORED;
      const chunk = require_ack ? chunkOf(part) : undefined;
      const frame = await frameOf(bytes, count, { tag: options.tag, gzip: options.compress === 'gzip', chunk });
      await (await connected(signal)).send(frame, chunk, timeout_ms, signal);
      return STORED;
    },
    async close() {
      link?.close();
      link = undefined;
    },
  };
}

function linkOptions(
  options: typeof FORWARD_SINK_DEFAULTS & ForwardSinkOptions,
  { clock, log }: SinkContext,
): LinkOptions {
  const { address: where, username, timeout_ms, hostname = machine() } = options;
  const address = readAddress(where);
  if (address === undefined || ('host' in address && address.host === '')) {
    throw new Error(`address ${where}: write HOST:PORT, [IPV6]:PORT or unix:/PATH`);
  }
  const key = Secret.of({ value: options.shared_key, file: options.shared_key_file }, 'shared_key', log);
  const password = Secret.of({ value: options.password, file: options.password_file }, 'password', log);
  if ((username === undefined) !== (password === undefined)) {
    throw new Error('a user has a password: give both username and password_file, or none');
  }
  if (username !== undefined && key === undefined) {
    throw new Error('a receiver that asks for a user has a key, too: give shared_key_file');
  }
  const credentials = (): ReturnType<LinkOptions['credentials']> =>
    key === undefined
      ? undefined
      : { key: key.values[0]!, username: username ?? '', password: password?.values[0] ?? Buffer.alloc(0) };
  const tls = options.tls === undefined ? undefined : new Tls(options.tls, { clock, log });
  const host = 'host' in address ? address.host : 'localhost';
  return { address, where, hostname, timeout_ms, credentials, tls: tls && (() => tls.connectOptions(host)) };
}

/** Whether the receiver can be reached, and lets us in. */
async function receiverItem(options: LinkOptions, signal: AbortSignal): Promise<CheckItem> {
  const item = { what: 'receiver', where: options.where };
  try {
    const link = await Link.open(options, inTime(signal));
    link.close();
    const found =
      options.credentials() === undefined ? 'answers; it is not asked who it is' : 'answers, and has the key';
    return { ...item, state: 'ok', found };
  } catch (error) {
    return { ...item, state: 'problem', ...failed(asSinkError(error).message, options.where) };
  }
}
