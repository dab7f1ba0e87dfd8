import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

const main = join(import.meta.dirname, '../src/main.ts');
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** Starts the example as `npm start` does, from the sources. */
function launch(port: number): { child: ChildProcess; printed: () => string } {
  const child = spawn(process.execPath, ['--conditions=@weir/source', main], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text += chunk;
    });
  }
  return { child, printed: () => text };
}

async function started(): Promise<{ url: string; child: ChildProcess; printed: () => string }> {
  const { child, printed } = launch(0);
  for (;;) {
    const url = /listens on (http:\S+?),/.exec(printed())?.[1];
    if (url !== undefined && /Ctrl-C/.test(printed())) return { url, child, printed };
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${printed()}`);
    await once(child.stdout!, 'data');
  }
}

const hello = async (url: string) => {
  const response = await fetch(`${url}/api/hello`);
  return {
    response,
    body: (await response.json()) as { upstream?: string; title?: string; status?: number },
  };
};

describe('the gateway example', () => {
  test('spreads 30 requests evenly over three upstreams', async () => {
    const { url } = await started();
    const seen: Record<string, number> = {};
    for (let i = 0; i < 30; i += 1) {
      const { response, body } = await hello(url);
      expect(response.status).toBe(200);
      seen[body.upstream as string] = (seen[body.upstream as string] ?? 0) + 1;
    }
    expect(seen).toEqual({ a: 10, b: 10, c: 10 });
  });

  test('answers on when an upstream is killed under load', async () => {
    const { url } = await started();
    const statuses: number[] = [];
    const client = async (): Promise<void> => {
      for (let i = 0; i < 10; i += 1) statuses.push((await hello(url)).response.status);
    };
    const clients = [client(), client(), client()];
    const killed = await fetch(`${url}/upstreams/b/die`, { method: 'POST' });
    expect(await killed.text()).toContain('b: die');
    await Promise.all(clients);
    expect(statuses).toEqual(Array.from({ length: 30 }, () => 200));
    const after = await Promise.all(Array.from({ length: 30 }, () => hello(url)));
    expect(new Set(after.map(({ body }) => body.upstream))).toEqual(new Set(['a', 'c']));
  });

  test('refuses a burst with a Retry-After that is true', async () => {
    const { url } = await started();
    const answers = await Promise.all(Array.from({ length: 400 }, () => hello(url)));
    const refused = answers.filter(({ response }) => response.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.filter(({ response }) => response.status === 200).length).toBeGreaterThan(30);
    const { response, body } = refused.at(-1)!;
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ status: 429 });
    expect(response.headers.get('ratelimit')).toMatch(/^"[^"]+";r=0;t=\d+/);
    expect(response.headers.get('ratelimit-policy')).toMatch(/^"[^"]+";q=100/);
    const seconds = Number(response.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    // The gateway is a process of its own, with the real clock.
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    expect((await hello(url)).response.status).toBe(200);
  });

  test('serves /api/cached from memory, with its age', async () => {
    const { url } = await started();
    const [first, second] = [await fetch(`${url}/api/cached`), await fetch(`${url}/api/cached`)];
    expect(first.headers.get('age')).toBeNull();
    expect(Number(second.headers.get('age'))).toBeGreaterThanOrEqual(0);
    expect(second.headers.get('age')).not.toBeNull();
    expect(await second.text()).toBe(await first.text());
  });

  test('shows its metrics', async () => {
    const { url } = await started();
    await hello(url);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^weir_load_balancer_requests_total\{.*\} 1$/m);
    expect(metrics).toMatch(/^weir_rate_limit_\w+\{.*\} 1$/m);
  });

  test('shows itself on a page, on which an upstream that was killed is out', async () => {
    const { url } = await started();
    expect(await (await fetch(`${url}/_weir/`)).text()).toContain('<title>Weir</title>');
    await fetch(`${url}/upstreams/b/die`, { method: 'POST' });
    for (let i = 0; i < 30; i += 1) await hello(url);
    const { components } = (await (await fetch(`${url}/_weir/snapshot`)).json()) as {
      components: { kind: string; level: string; why: string }[];
    };
    expect(components.find(({ kind }) => kind === 'pool')).toMatchObject({ level: 'bad', why: '1 of 3 out' });
  });

  test('ends at once on Ctrl-C and leaves nothing behind', async () => {
    const { url, child, printed } = await started();
    const upstream = /^ {2}a {2}(http:\S+)$/m.exec(printed())![1]!;
    expect((await fetch(`${upstream}/api/hello`)).status).toBe(200);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await expect(fetch(url)).rejects.toThrow();
    // The upstream notices that its parent has gone; until then a connection is refused or reset.
    for (;;) {
      const alive = await fetch(`${upstream}/api/hello`).then(
        () => true,
        () => false,
      );
      if (!alive) break;
    }
  });

  test('says what to do when its port is taken, and what PORT may be', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const taken = (server.address() as { port: number }).port;
    const first = launch(taken);
    expect(await once(first.child, 'exit')).toEqual([1, null]);
    expect(first.printed()).toContain(`port ${taken} is taken`);
    server.close();
    const second = launch(99_999);
    expect(await once(second.child, 'exit')).toEqual([1, null]);
    expect(second.printed()).toContain('PORT must be a number from 0 to 65535');
  });
});
