import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
// By path, since this package does not depend on the adapters.
import { exchangeOf, weir } from '../../http/src/node.ts';
import { createRing, fromHeader, fromParam, shard, shardKey } from '../src/index.ts';

const topology = createRing([
  { id: 'db-1', dsn: 'postgres://10.0.0.1' },
  { id: 'db-2', dsn: 'postgres://10.0.0.2' },
]);
const tenants = Array.from({ length: 20 }, (_, i) => `tenant-${i}`);
const key = fromHeader('x-tenant');

/** Answers with the DSN of the request's shard, behind the policies that its path begins with. */
const stacks: Readonly<Record<string, ReturnType<typeof weir>>> = {
  plain: weir(shard({ key, topology })),
  mine: weir(shard({ key, topology, self: 'db-1' })),
  tenants: weir(shard({ key: fromParam('/tenants/:tenant'), topology })),
  empty: weir(shard({ key, topology: createRing([]) })),
};
const server = createServer((req, res) => {
  stacks[req.url!.split('/')[1]!]!.wrap(() => {
    const node = exchangeOf(req).get(shardKey)?.node as { readonly dsn: string } | undefined;
    res.end(node?.dsn);
  })(req, res);
});
let origin: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ask = async (path: string, tenant?: string) => {
  const response = await fetch(
    `${origin}/${path}`,
    tenant === undefined ? {} : { headers: { 'x-tenant': tenant } },
  );
  return { status: response.status, shard: response.headers.get('x-shard'), body: await response.text() };
};

test('handlers get the shard, and clients its name', async () => {
  for (const tenant of tenants) {
    const { id, dsn } = topology.get(tenant)!;
    expect(await ask('plain', tenant)).toEqual({ status: 200, shard: id, body: dsn });
    expect(await ask(`tenants/${tenant}/orders`)).toEqual({ status: 200, shard: id, body: dsn });
  }
  expect(new Set(tenants.map((tenant) => topology.get(tenant)!.id)).size).toBe(2);
});

test('a request that belongs elsewhere is answered 421, with the owner in x-shard and a problem as its body', async () => {
  for (const tenant of tenants) {
    const { id, dsn } = topology.get(tenant)!;
    const { status, shard: named, body } = await ask('mine', tenant);
    expect([status, named]).toEqual([id === 'db-1' ? 200 : 421, id]);
    expect(body).toContain(id === 'db-1' ? dsn : 'belongs to another shard');
  }
});

test('no key is answered 400, no owner 503, and neither names a shard', async () => {
  expect(await ask('plain')).toMatchObject({ status: 400, shard: null });
  expect(await ask('empty', 'acme')).toMatchObject({ status: 503, shard: null });
});
