import {
  type Clock,
  callable,
  channel,
  InvalidOptionError,
  knownOptions,
  oneOf,
  systemClock,
  text,
  WeirError,
} from '@weir/core';
import { type Network, parseNetwork } from './address.ts';

/** What every adapter can be told, by `configure` or as the second argument of `weir`. */
export interface HttpOptions {
  /**
   * Which hops in front of this process may say who the client is: how many there are, or their networks
   * (`['10.0.0.0/8', '2001:db8::/32']`). Anyone else's forwarding headers are ignored.
   *
   * @default none: the client is the socket's peer (or what the framework was configured to trust)
   */
  readonly trustedProxies?: number | readonly string[];
  /**
   * The one header that the trusted proxies write; never both. With 'x-forwarded-for' go `x-forwarded-proto` and
   * `x-forwarded-host`.
   *
   * @default 'x-forwarded-for'
   */
  readonly forwardedHeader?: 'x-forwarded-for' | 'forwarded';
  /**
   * A header in which the platform itself puts the client's address, such as `cf-connecting-ip` or
   * `fly-client-ip`. Only for services that cannot be reached around that platform.
   *
   * @default none
   */
  readonly addressHeader?: string;
  /** Time source of `startedAt`, `headMs` and `durationMs`. @default systemClock */
  readonly clock?: Clock;
  /**
   * Told of errors that must not reach the client or stop other policies: a throwing `enter`, `Leave` or tap, a
   * rejected `waitUntil`; and once of a host that gives no client address (`ERR_WEIR_NO_ADDRESS`). They are also published on the channel `weir:http:fault`.
   *
   * @default prints them with `console.error`
   */
  readonly onFault?: (error: unknown, where: string) => void;
}

export interface Settings {
  readonly hops: number;
  readonly networks: readonly Network[] | undefined;
  readonly forwardedHeader: 'x-forwarded-for' | 'forwarded';
  readonly addressHeader: string | undefined;
  readonly clock: Clock;
  fault(error: unknown, where: string): void;
  /** Reports, once, that clients cannot be told apart. */
  addressMissing(): void;
}

const httpOptionNames = ['trustedProxies', 'forwardedHeader', 'addressHeader', 'clock', 'onFault'] as const;

const faults = channel('weir:http:fault');

const noAddress =
  "this host gives no client address: clients without one count together, as 'unknown'. " +
  'Name the header that your platform writes (addressHeader), or the proxies in front (trustedProxies)';

const print = (error: unknown, where: string): void => {
  console.error(`weir: ${where} failed:`, error);
};

/** What one adapter can be told beside the common options: a few words each. */
export type Choices = { readonly [option: string]: readonly unknown[] };

/** @throws InvalidOptionError if an option is unknown or out of range. */
export function readSettings(options: HttpOptions = {}, choices: Choices = {}): Settings {
  knownOptions(options, [...httpOptionNames, ...Object.keys(choices)], 'weir');
  for (const [name, allowed] of Object.entries(choices))
    oneOf(options[name as keyof HttpOptions], name, allowed);
  const { trustedProxies = 0, forwardedHeader = 'x-forwarded-for', clock = systemClock } = options;
  const onFault = callable(options.onFault ?? print, 'onFault');
  const { hops, networks } = readTrust(trustedProxies);
  const fault: Settings['fault'] = (error, where) => {
    if (faults.hasSubscribers) faults.publish({ error, where });
    try {
      onFault(error, where);
    } catch {
      // A reporter that fails has nobody left to report to, and must not take the request with it.
    }
  };
  let missing = false;
  return {
    hops,
    networks,
    forwardedHeader: oneOf(forwardedHeader, 'forwardedHeader', ['x-forwarded-for', 'forwarded'] as const),
    addressHeader:
      options.addressHeader === undefined
        ? undefined
        : text(options.addressHeader, 'addressHeader').toLowerCase(),
    clock,
    fault,
    addressMissing() {
      if (missing) return;
      missing = true;
      fault(new WeirError('ERR_WEIR_NO_ADDRESS', noAddress), "finding the client's address");
    },
  };
}

function readTrust(trusted: unknown): { hops: number; networks: readonly Network[] | undefined } {
  if (Number.isInteger(trusted) && (trusted as number) >= 0 && (trusted as number) <= 100) {
    return { hops: trusted as number, networks: undefined };
  }
  if (!Array.isArray(trusted)) {
    throw new InvalidOptionError(
      'trustedProxies',
      'a number of hops from 0 to 100, or a list of networks',
      trusted,
    );
  }
  return { hops: 0, networks: trusted.map((network) => parseNetwork(network, 'trustedProxies')) };
}
