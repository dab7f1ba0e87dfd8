import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Component, InvalidOptionError, knownOptions, problem, type Reply } from '@weir/core';
import type { Pool } from '@weir/load-balancer';
import { readEarly } from './internal/early-data.ts';
import type { Forwarder } from './internal/forwarder.ts';
import { Forwarding, type Upgraded } from './internal/forwarding.ts';
import { type RequestHead, requestHead } from './internal/request-head.ts';
import { forwardOptionNames } from './internal/settings.ts';
import { answerOn, writeHead } from './internal/socket-reply.ts';
import { joinSockets } from './internal/tunnel.ts';
import { UpgradeExchange } from './internal/upgrade-exchange.ts';
import type { UpgradeOptions } from './options.ts';
import { type CloseOptions, makeForwarder, readWithin } from './proxy.ts';

/** A listener for `upgrade` that owns connections and tunnels. */
export interface Upgrade extends Component {
  (req: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly kind: 'upgrade';
  readonly name: string;
  /** Refuses upgrades from now on with 503, waits for the tunnels to close, and closes those that do not. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Passes upgrades, such as those to WebSocket, on to a pool's upstreams, and joins the sockets: what goes through the
 * tunnel is not looked at. The request and the 101 go by the same rules as those of `proxy`, retries included; an
 * answer other than 101 is passed on. A tunnel counts as in flight until it closes.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * server.on('upgrade', upgrade(pool));
 * server.on('upgrade', weir(policies).upgrade(upgrade(pool))); // with policies in front
 */
export function upgrade(pool: Pool, options: UpgradeOptions = {}): Upgrade {
  knownOptions(options, [...forwardOptionNames, 'protocols'], 'upgrade');
  const { protocols, ...shared } = options;
  const admits = readProtocols(protocols);
  const forwarder = makeForwarder(pool, shared, 'upgrade');
  const { name, tally } = forwarder;
  const tunnels = new Set<Duplex>();
  const listener = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Without a listener a client that resets the connection would end the process.
    socket.on('error', () => {});
    tunnels.add(socket);
    socket.on('close', () => tunnels.delete(socket));
    pass(new UpgradeExchange(req, socket, forwarder.clock), socket, head, forwarder, admits);
  };
  const face: Omit<Upgrade, 'name'> = Object.assign(listener, {
    kind: 'upgrade' as const,
    snapshot: () => ({ ...tally.snapshot(), tunnels: tunnels.size }),
    metrics: () => tally.samples(name),
    async close(options?: CloseOptions): Promise<void> {
      const withinMs = readWithin(options);
      forwarder.closed = true;
      await allClosed(tunnels, withinMs);
      await forwarder.close(withinMs);
    },
  });
  // A function's own name cannot be assigned.
  return Object.defineProperty(face, 'name', { value: name }) as Upgrade;
}

function pass(
  x: UpgradeExchange,
  socket: Duplex,
  head: Buffer,
  forwarder: Forwarder,
  admits: (protocol: string) => boolean,
): void {
  const request = prepare(x, forwarder, admits);
  if ('status' in request) {
    forwarder.tally.refused += 1;
    answerOn(socket, request, x.added);
    return;
  }
  const stopReading = readEarly(socket, head);
  const protocol = x.header('upgrade') as string;
  new Forwarding(x, forwarder, request, undefined, protocol, {
    resolve(answer) {
      if (socket.destroyed) {
        drop(answer);
        return;
      }
      const early = stopReading();
      if ('status' in answer) {
        answerOn(socket, answer, x.added);
        return;
      }
      socket.write(writeHead(101, [...answer.headers, ...x.added]), 'latin1');
      if (early.length > 0) answer.socket.write(early);
      joinSockets(socket, answer.socket, forwarder.settings.idleMs, (how) => answer.closed(outcomes[how]));
    },
    reject(error) {
      forwarder.fault(error);
      stopReading();
      answerOn(socket, failure, x.added);
    },
  }).begin();
}

/** What to ask an upstream for, or why not to. */
function prepare(
  x: UpgradeExchange,
  forwarder: Forwarder,
  admits: (protocol: string) => boolean,
): RequestHead | Reply {
  if (forwarder.closed) return forwarder.reply('proxy_internal_response');
  const protocol = x.header('upgrade') ?? '';
  if (!protocol.split(',').every((each) => admits(each.trim().toLowerCase()))) {
    return problem(400, { detail: 'This protocol is not passed on.' });
  }
  // Whatever follows the head belongs to the tunnel.
  if (Number(x.header('content-length') ?? 0) !== 0 || x.header('transfer-encoding') !== undefined) {
    return problem(400, { detail: 'A request with a body cannot be upgraded.' });
  }
  try {
    const head = requestHead(x, x.receivedFields(), forwarder.settings);
    return 'status' in head ? problem(head.status, { detail: head.detail }) : head;
  } catch (error) {
    forwarder.fault(error);
    return failure;
  }
}

const failure = problem(500, { kind: 'error' });

/** What the end of a tunnel says about the upstream. */
const outcomes = { closed: 'ok', 'client broke': 'ignore', 'upstream broke': 'failure' } as const;

/** The client has gone in the meantime. */
function drop(answer: Reply | Upgraded): void {
  if ('socket' in answer) {
    answer.socket.destroy();
    answer.closed('ignore');
  } else if (typeof answer.body === 'object' && 'cancel' in answer.body) {
    answer.body.cancel(new Error('the client has gone'));
  }
}

/** A tunnel to these could carry requests that no rule of this proxy sees. */
const never = new Set(['', 'h2', 'h2c']);

function readProtocols(protocols: unknown): (protocol: string) => boolean {
  if (protocols === undefined) return (protocol) => !never.has(protocol) && !/^(?:tls|http)\//.test(protocol);
  const good = Array.isArray(protocols) && protocols.length > 0;
  if (!good || !protocols.every((each) => typeof each === 'string' && !never.has(each.toLowerCase()))) {
    throw new InvalidOptionError('protocols', "a list such as ['websocket'], without h2c", protocols);
  }
  const admitted = new Set(protocols.map((each: string) => each.toLowerCase()));
  return (protocol) => admitted.has(protocol);
}

/** Resolves when the tunnels are closed; after a while by closing them. */
async function allClosed(tunnels: ReadonlySet<Duplex>, withinMs: number): Promise<void> {
  if (tunnels.size === 0) return;
  const timer = setTimeout(() => {
    for (const socket of tunnels) socket.destroy();
  }, withinMs);
  await Promise.all([...tunnels].map((socket) => new Promise((resolve) => socket.on('close', resolve))));
  clearTimeout(timer);
}
