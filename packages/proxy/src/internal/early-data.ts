import type { Duplex } from 'node:stream';

/** What a client may send before its tunnel is there. */
const limit = 64 * 1024;

/**
 * Reads a socket that nobody has taken over yet: only so does it become known that the client has gone. A client that
 * says it is done before the tunnel is there has gone, too.
 *
 * @returns a function that stops reading and gives back what came
 */
export function readEarly(socket: Duplex, head: Buffer): () => Buffer {
  const early = [head];
  let size = head.length;
  const data = (chunk: Buffer): void => {
    early.push(chunk);
    size += chunk.length;
    if (size > limit) socket.pause();
  };
  const ended = (): void => void socket.destroy();
  socket.on('data', data).on('end', ended);
  return () => {
    socket.pause().off('data', data).off('end', ended);
    return Buffer.concat(early);
  };
}
