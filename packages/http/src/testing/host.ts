import type { Policies } from '../internal/policies.ts';
import type { HttpOptions } from '../internal/settings.ts';

/** A running server with the routes that the suite asks for. */
export interface Running extends AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
}

/** An adapter with a host around it. */
export interface HostUnderTest {
  readonly name: string;
  /** Whether it speaks cleartext HTTP/2 only. */
  readonly http2?: boolean;
  /**
   * What this host cannot do, for reasons of its own:
   * - `error-headers`: it makes the page for a thrown error itself, without the headers of policies
   * - `address`: it is told no address of the peer
   * - `abort`: it is not told that a client left before the response began
   * - `length`: it sends a streamed body in chunks, whatever its length
   */
  readonly cannot?: readonly ('error-headers' | 'address' | 'abort' | 'length')[];
  /**
   * Starts a server with the suite's routes and these policies in front of all of them, each of `mounts` mounted as
   * middleware of its own, the first one outermost.
   */
  start(mounts: readonly Policies[], options: HttpOptions): Promise<Running>;
}
