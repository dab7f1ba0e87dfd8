import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Uint8Array;
  /** False if the connection broke before the body was whole. */
  readonly complete: boolean;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly http2?: boolean | undefined;
  /** Uses one connection for all requests that say so. */
  readonly keepAlive?: boolean;
}

/** One request on a connection of its own. */
export function ask(port: number, options: Ask = {}): Promise<Answer> {
  return options.http2 === true ? ask2(port, options) : ask1(port, options);
}

const shared = new Agent({ keepAlive: true, maxSockets: 1 });

function ask1(port: number, options: Ask): Promise<Answer> {
  const { method = 'GET', path = '/hello', headers = {}, body, keepAlive = false } = options;
  const agent = keepAlive ? shared : false;
  return new Promise((resolve, reject) => {
    const req = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      const settle = (): void => {
        const bytes = Buffer.concat(chunks);
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: bytes.toString(),
          bytes,
          complete: res.complete,
        });
      };
      res.on('end', settle).on('error', settle);
    });
    req.on('error', reject);
    req.end(body);
  });
}

function ask2(port: number, { method = 'GET', path = '/hello', headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', reject);
    const stream = session.request({ ':method': method, ':path': path, ...headers });
    const chunks: Buffer[] = [];
    let head: IncomingHttpHeaders & { ':status'?: number } = {};
    stream.on('response', (received) => (head = received as typeof head));
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      session.close();
      const bytes = Buffer.concat(chunks);
      resolve({
        status: head[':status'] ?? 0,
        headers: head,
        body: bytes.toString(),
        bytes,
        complete: stream.rstCode === 0,
      });
    });
    stream.end(body);
  });
}

/** A client that leaves: `when` says after what. */
export function leave(
  port: number,
  path: string,
  when: Promise<unknown> | 'first byte',
  http2 = false,
): void {
  const gone = (close: () => void): void => {
    if (when !== 'first byte') void when.then(close);
  };
  if (http2) {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const stream = session.request({ ':path': path });
    const close = (): void => {
      stream.close(8);
      session.close();
    };
    stream.on('error', () => {}).on('data', () => when === 'first byte' && close());
    stream.end();
    gone(close);
    return;
  }
  // A socket of its own, since not every runtime's client closes one that it gave up.
  const socket = createConnection(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  let received = '';
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      received += chunk.toString('latin1');
      const headEnd = received.indexOf('\r\n\r\n');
      if (when === 'first byte' && headEnd !== -1 && received.length > headEnd + 4) socket.destroy();
    });
  gone(() => socket.destroy());
}
