import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import { createPool, type Pool, type PoolOptions, roundRobin, type UpstreamOptions } from '../src/index.ts';
import { lease, serve, served } from './support.ts';

/** Servers `<zone><priority>-<n>`; the down ones are ejected for good. */
function poolOf(servers: readonly string[], down: readonly string[], options: PoolOptions = {}): Pool {
  const upstreams: UpstreamOptions[] = servers.map((name) => ({
    url: `http://${name}`,
    zone: name[0]!,
    priority: Number(name[1]),
  }));
  const pool = createPool(upstreams, {
    strategy: roundRobin(),
    clock: new ManualClock(),
    outliers: { consecutiveFailures: 1, maxEjected: 1 },
    ...options,
  });
  for (const name of down) {
    serve(pool, 'failure', {
      exclude: pool.upstreams.map(({ url }) => url).filter((url) => url !== `http://${name}`),
    });
    lease(pool).release({ outcome: 'ignore' });
  }
  return pool;
}

const used = (pool: Pool, options = {}): string[] =>
  [...new Set(served(pool, 40, options))].map((url) => url?.slice('http://'.length) ?? 'nobody').toSorted();

describe('priorities', () => {
  const servers = ['x0-1', 'x0-2', 'x1-1', 'x1-2', 'x2-1'];

  test('only the first one is used while enough of it is up', () => {
    expect(used(poolOf(servers, []))).toEqual(['x0-1', 'x0-2']);
    expect(used(poolOf(servers, ['x0-1']))).toEqual(['x0-2']);
  });

  test('the next one takes over when too few are up, and the one after that', () => {
    const pool = poolOf(['x0-1', 'x0-2', 'x0-3', 'x1-1', 'x2-1'], []);
    const fail = (name: string) =>
      serve(pool, 'failure', {
        exclude: pool.upstreams.map(({ url }) => url).filter((url) => url !== `http://${name}`),
      });
    fail('x0-1');
    expect(used(pool)).toEqual(['x0-2', 'x0-3']);
    fail('x0-2');
    expect(used(pool)).toEqual(['x1-1']);
    fail('x1-1');
    expect(used(pool)).toEqual(['x2-1']);
  });

  test('the first one is used again when it is back', () => {
    const clock = new ManualClock();
    const pool = poolOf(['x0-1', 'x1-1'], ['x0-1'], { clock });
    expect(used(pool)).toEqual(['x1-1']);
    clock.advance('10s');
    expect(used(pool)).toEqual(['x0-1']);
  });

  test('draining all servers of a priority hands over to the next one', () => {
    const pool = poolOf(servers, []);
    void pool.drain('http://x0-1');
    expect(used(pool)).toEqual(['x0-2']);
    void pool.drain('http://x0-2');
    expect(used(pool)).toEqual(['x1-1', 'x1-2']);
  });

  test('a request that has failed on all of the first one goes to the next ones in order', () => {
    const pool = poolOf(servers, []);
    const tried: string[] = [];
    for (let next = serve(pool); next !== undefined; next = serve(pool, 'ok', { exclude: tried }))
      tried.push(next);
    expect(tried.map((url) => url.slice('http://x'.length, -2))).toEqual(['0', '0', '1', '1', '2']);
    expect(new Set(tried).size).toBe(5);
  });

  test('so does one that no server of the first one admits', () => {
    const pool = poolOf(servers, []);
    const admit = ({ priority }: { priority: number }) => priority === 2;
    expect(used(pool, { admit })).toEqual(['x2-1']);
  });

  test('one that is ejected stands in for nobody', () => {
    const pool = poolOf(['x0-1', 'x1-1'], ['x1-1']);
    expect(pool.acquire({ exclude: ['http://x0-1'] })).toBeUndefined();
  });
});

describe('zones', () => {
  const servers = ['a0-1', 'a0-2', 'b0-1', 'b0-2', 'a1-1'];

  test('servers of the own zone are preferred, as long as enough of them are up', () => {
    expect(used(poolOf(servers, [], { zone: 'a' }))).toEqual(['a0-1', 'a0-2']);
    expect(used(poolOf(servers, ['a0-1'], { zone: 'a' }))).toEqual(['a0-2']);
    expect(used(poolOf(servers, ['a0-1', 'a0-2'], { zone: 'a' }))).toEqual(['b0-1', 'b0-2']);
  });

  test('a better priority elsewhere goes before the own zone', () => {
    expect(used(poolOf(['a1-1', 'b0-1'], [], { zone: 'a' }))).toEqual(['b0-1']);
  });

  test('a zone without servers, or no zone, means all of them', () => {
    expect(used(poolOf(servers, [], { zone: 'q' }))).toEqual(['a0-1', 'a0-2', 'b0-1', 'b0-2']);
    expect(used(poolOf(servers, []))).toEqual(['a0-1', 'a0-2', 'b0-1', 'b0-2']);
  });

  test('a request that has failed on all of the own zone goes to another one', () => {
    const pool = poolOf(servers, [], { zone: 'a' });
    expect(used(pool, { exclude: ['http://a0-1', 'http://a0-2'] })).toEqual(['b0-1']);
  });
});

describe('panic', () => {
  const servers = ['x0-1', 'x0-2', 'x0-3', 'x0-4'];

  test('half of the servers up is enough; with fewer, all are used', () => {
    expect(used(poolOf(servers, servers.slice(0, 2)))).toEqual(['x0-3', 'x0-4']);
    const pool = poolOf(servers, servers.slice(0, 3));
    expect(used(pool)).toEqual(servers);
    expect(pool.snapshot()).toMatchObject({ panic: true });
    expect(pool.metrics().find(({ name }) => name.endsWith('_panic'))).toMatchObject({ value: 1 });
  });

  test.each([
    [0.25, ['x0-4']],
    [0.26, servers],
    [0, ['x0-4']],
    [1, servers],
  ])('with a threshold of %s and one of four up, %j are used', (panicThreshold, expected) => {
    expect(used(poolOf(servers, servers.slice(0, 3), { panicThreshold }))).toEqual(expected);
  });

  test('with a threshold of 0 all are used only if none is up', () => {
    expect(used(poolOf(servers, servers, { panicThreshold: 0 }))).toEqual(servers);
  });

  test('a priority that has enough goes before panic; if none has, all of all are used', () => {
    expect(used(poolOf([...servers, 'x1-1'], servers))).toEqual(['x1-1']);
    expect(used(poolOf([...servers, 'x1-1'], [...servers, 'x1-1']))).toEqual([...servers, 'x1-1']);
  });

  test('a draining server is not used even then', () => {
    const pool = poolOf(servers, servers.slice(0, 3), { random: seededRandom(1) });
    void pool.drain('http://x0-1');
    expect(used(pool)).toEqual(['x0-2', 'x0-3', 'x0-4']);
  });
});
