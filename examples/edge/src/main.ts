import type { AddressInfo } from 'node:net';
import { createEdge } from './edge.ts';

const [origin = process.env.ORIGIN, portText = process.env.PORT ?? '8080'] = process.argv.slice(2);
const port = Number(portText);
if (origin === undefined || !/^https?:\/\/[^/?#]+\/?$/.test(origin))
  fail(`say where the origin is, such as http://localhost:3000; got ${JSON.stringify(origin)}`);
if (!Number.isInteger(port) || port < 0 || port > 65_535)
  fail(`the port must be a number from 0 to 65535, got "${portText}"`);

const { server, cache } = createEdge(origin.replace(/\/$/, ''));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
process.on('SIGUSR2', () => console.log(JSON.stringify(cache.snapshot())));

server.on('error', (error: NodeJS.ErrnoException) => {
  fail(error.code === 'EADDRINUSE' ? `port ${port} is taken` : `cannot listen: ${error.message}`);
});
server.listen(port, '127.0.0.1', () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port} serves ${origin}`);
});

function fail(message: string): never {
  console.error(`edge: ${message}\nusage: node src/main.ts <origin> [port], or ORIGIN=<origin> PORT=<port>`);
  process.exit(1);
}
