import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Pairs, Reply, Source } from '@weir/core';

/** How long a client may take to read a refusal and close. */
const lingerMs = 10_000;

/** The head of a response, as it goes over the wire. */
export function writeHead(status: number, headers: Pairs): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/** Answers on a bare socket, and closes it: what comes after a refused upgrade is not to be read as a request. */
export function answerOn(socket: Duplex, reply: Reply, added: Pairs): void {
  const { status, headers = [], body } = reply;
  const pairs = [...headers, ...added, 'connection', 'close'];
  const streams = typeof body === 'object' && !(body instanceof Uint8Array);
  if (!streams && body !== undefined) pairs.push('content-length', String(Buffer.byteLength(body)));
  socket.write(writeHead(status, pairs), 'latin1');
  socket.on('end', () => socket.destroy()).resume();
  if (streams) stream(body as Source, socket);
  else close(socket, body);
}

function stream(source: Source, socket: Duplex): void {
  socket
    .on('drain', () => source.resume())
    .on('close', () => source.cancel(new Error('the client has gone')));
  source.start({
    write: (chunk) => socket.write(chunk),
    end: () => close(socket, undefined),
    abort: () => void socket.destroy(),
  });
}

function close(socket: Duplex, last: string | Uint8Array | undefined): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.on('close', () => clearTimeout(timer));
  if (last === undefined) socket.end();
  else socket.end(last);
}
