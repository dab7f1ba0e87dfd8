// A server behind the gateway, in a process of its own so that it can really be slow, stop and die. Started by
// upstream-process.ts, which tells it what to do.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Behaviour, Told } from './upstream-process.ts';

let behaviour: Behaviour = {};
/** Requests by path. */
const counts: { [path: string]: number } = {};

const server = createServer(async (req, res) => {
  const path = req.url ?? '/';
  counts[path] = (counts[path] ?? 0) + 1;
  const count = counts[path];
  const { status = 200, headers = {}, value = null, delayMs = 0 } = behaviour;
  let body = '';
  for await (const chunk of req) body += chunk;
  if (path === '/login') {
    const { password } = JSON.parse(body) as { password: string };
    res.writeHead(password === 'right' ? 200 : 401).end();
    return;
  }
  // When this was true, by the clock of the machine.
  const at = Date.now();
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ pid: process.pid, value, count, at }));
});

server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});

process.on('message', (told: Told) => {
  if (told === 'count') process.send?.({ counts });
  else {
    behaviour = told;
    process.send?.({ done: true });
  }
});
// As a service does that is told to end: nothing new, what is under way finishes.
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
process.on('disconnect', () => process.exit());
