import type { Duplex } from 'node:stream';

/** How long one side may go on after the other has said that it is done. */
const lingerMs = 10_000;

/** How a tunnel ended: both sides said so, or one of them broke. */
export type TunnelEnd = 'closed' | 'client broke' | 'upstream broke';

/**
 * Joins two sockets until both are closed. Each side is read only as fast as the other takes it. When one is done the
 * other may finish; when one breaks, or nothing has moved for too long, both are closed.
 *
 * @param closed told once, when both are closed
 */
export function joinSockets(
  client: Duplex,
  upstream: Duplex,
  idleMs: number,
  closed: (how: TunnelEnd) => void,
): void {
  let open = 2;
  let how: TunnelEnd | undefined;
  const destroy = (): void => {
    how ??= 'closed';
    client.destroy();
    upstream.destroy();
  };
  const idle = setTimeout(destroy, idleMs).unref();
  let linger: NodeJS.Timeout | undefined;

  const carry = (from: Duplex, to: Duplex, broke: TunnelEnd): void => {
    let ended = false;
    from.on('data', (chunk: Buffer) => {
      idle.refresh();
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      idle.refresh();
      from.resume();
    });
    from.on('end', () => {
      ended = true;
      to.end();
      linger ??= setTimeout(destroy, Math.min(lingerMs, idleMs)).unref();
    });
    from.on('error', () => {
      how ??= broke;
    });
    from.on('close', () => {
      open -= 1;
      if (!ended) how ??= broke;
      // What it said before it closed still goes out.
      if (ended && !to.writableFinished) to.once('finish', () => to.destroy());
      else to.destroy();
      if (open > 0) return;
      clearTimeout(idle);
      clearTimeout(linger);
      closed(how ?? 'closed');
    });
    from.resume();
  };
  carry(client, upstream, 'client broke');
  carry(upstream, client, 'upstream broke');
}
