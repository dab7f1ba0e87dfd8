import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** Stands between a client and a server, to lose what is on its way. */
export class Relay {
  port = 0;
  /** Set: answers are swallowed instead of passed on. */
  swallow = false;
  /** Answers swallowed, in chunks. */
  swallowed = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: number) {
    this.#server = createServer((client) => {
      const server = dial(target, '127.0.0.1');
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          (socket === client ? server : client).destroy();
        });
      }
      client.on('data', (chunk) => server.write(chunk));
      server.on('data', (chunk) => {
        if (this.swallow) this.swallowed += 1;
        else client.write(chunk);
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as { port: number }).port;
    return this;
  }

  /** Cuts all connections. New ones are taken, and their answers passed on. */
  cut(): void {
    this.swallow = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
