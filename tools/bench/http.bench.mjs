// What Weir adds to a request, in process: the middleware alone, on a request and a response made of nothing.
import { weir as express } from '../../packages/http/dist/express.js';
import { weir as node } from '../../packages/http/dist/node.js';
import { fixedWindow, rateLimit } from '../../packages/rate-limit/dist/index.js';
import { compare, goal, keep, print } from './harness.mjs';

/** The least that a middleware may lean on: header setters, a head, a body, one `close` listener. */
class FakeResponse {
  statusCode = 200;
  headersSent = false;
  writableFinished = false;
  closed = undefined;
  headers = undefined;
  lines = undefined;
  setHeader(name, value) {
    this.headers ??= {};
    this.headers[name] = value;
  }
  getHeader(name) {
    return this.headers?.[name];
  }
  getHeaderNames() {
    return this.headers === undefined ? [] : Object.keys(this.headers);
  }
  on(_event, listener) {
    this.closed = listener;
    return this;
  }
  writeHead(status, lines) {
    this.statusCode = status;
    this.lines = lines;
    this.headersSent = true;
    return this;
  }
  end() {
    if (!this.headersSent) this.writeHead(this.statusCode);
    this.writableFinished = true;
    this.closed?.();
  }
}
class FakeRequest {
  method = 'GET';
  url = '/hello';
  headers = { host: 'localhost' };
  httpVersionMajor = 1;
  app = { enabled: () => false };
  socket = { remoteAddress: '192.0.2.1' };
}

const loop = (middleware) => (ops) => {
  for (let i = 0; i < ops; i += 1) {
    const req = new FakeRequest();
    const res = new FakeResponse();
    const next = () => res.end();
    if (middleware === undefined) next();
    else middleware(req, res, next);
  }
};
const passes = () => ({ name: 'passes', enter() {} });
const leaves = () => {
  const leave = (outcome) => keep(outcome.status);
  return { name: 'leaves', enter: () => leave };
};
const head = { ...leaves(), until: 'head' };
const header = { name: 'header', enter: (x) => x.setHeader('x-a', '1') };
const limit = () => rateLimit({ limits: fixedWindow({ limit: 1e9, per: '1m' }) });
const five = (make) => Array.from({ length: 5 }, make);

for (const [host, weir] of [
  ['node', node],
  ['express', express],
]) {
  const rows = await compare(
    {
      'no middleware': loop(undefined),
      'a policy that passes': loop(weir(passes())),
      'five that pass': loop(weir(five(passes))),
      'one that leaves': loop(weir(leaves())),
      'five that leave': loop(weir(five(leaves))),
      'one that leaves at the head': loop(weir(head)),
      'one header': loop(weir(header)),
      'a limit per address, with two headers': loop(weir(limit())),
      'a clock read': (ops) => {
        let sum = 0;
        for (let i = 0; i < ops; i += 1) sum += performance.now();
        return sum;
      },
    },
    { ops: 200_000, rounds: 9 },
  );
  print(`${host}, in process`, rows);
  const added = (name) => rows.find((row) => row.name === name).ns - rows[0].ns;
  const check = (name, limit) =>
    goal(`${host}: ${name} adds <= ${limit} ns`, `${added(name).toFixed(0)} ns`, added(name) <= limit);
  check('a policy that passes', 120);
  check('one that leaves', 450);
  check('five that leave', 700);
  check('a limit per address, with two headers', 1000);
}
