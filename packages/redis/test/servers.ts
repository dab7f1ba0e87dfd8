import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, describe, test } from 'vitest';

// Real servers on loopback, for the tests of this package and of those that stand on it.

const missing = spawnSync('redis-server', ['--version']).status !== 0;
const hint = 'redis-server is not on the PATH: `apt-get install redis-server` or `brew install redis`';

/** A suite that needs redis-server: skipped with a word of advice where there is none, but a failure on CI. */
export function describeRedis(name: string, suite: () => void): void {
  if (!missing) describe(name, suite);
  else if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(hint);
    });
  } else describe.skip(`${name} (${hint})`, suite);
}

/** One redis-server of our own. */
export interface Server {
  readonly port: number;
  readonly url: string;
  /** Sends one command, by a connection of its own. */
  admin(...command: (string | number)[]): Promise<unknown>;
  /** Stops answering without closing anything, as a stalled host does. */
  freeze(): void;
  thaw(): void;
  /** As `kill -9`. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts again after `kill`, on the same port, empty. */
  restart(): Promise<void>;
}

class RedisServer implements Server {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #dir: string;
  #process: ChildProcess | undefined;

  constructor(port: number, args: readonly string[], dir: string) {
    this.port = port;
    this.#args = args;
    this.#dir = dir;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async admin(...command: (string | number)[]): Promise<unknown> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', retryStrategy: null, lazyConnect: true });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(String(command[0]), ...command.slice(1).map(String));
    } finally {
      client.disconnect();
    }
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    const child = spawn('redis-server', this.#args, { cwd: this.#dir, stdio: 'ignore' });
    this.#process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    const ended = (): boolean => child.exitCode !== null;
    await until(
      async () => ended() || (await this.admin('ping')) === 'PONG',
      `redis-server on port ${this.port}`,
    );
    if (ended()) throw new Error(`redis-server on port ${this.port} ended: somebody else has the port`);
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Waits for an event that nothing announces. Fails after 30 s. */
export async function until(holds: () => unknown, what: string, everyMs = 20): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  for (;;) {
    try {
      if (await holds()) return;
    } catch {}
    if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Everything that was started through it is stopped, and its folder removed, when the suite it was made in ends. */
export class Servers {
  readonly #all: RedisServer[] = [];
  readonly #dirs: string[] = [];

  constructor() {
    afterAll(() => this.stop());
  }

  async single(...options: readonly string[]): Promise<Server> {
    return this.#start(async () => options);
  }

  /** A master, a replica and three Sentinels that watch them, under the name 'weir'. */
  async sentinel(): Promise<{ master: Server; replica: Server; sentinels: readonly Server[] }> {
    const master = await this.single();
    const replica = await this.single('--replicaof', `127.0.0.1 ${master.port}`);
    const sentinels = await Promise.all(
      [0, 1, 2].map(async () => {
        const port = await freePort();
        const dir = await this.#dir();
        const file = join(dir, 'sentinel.conf');
        await writeFile(
          file,
          [
            `port ${port}`,
            'bind 127.0.0.1',
            `sentinel monitor weir 127.0.0.1 ${master.port} 2`,
            'sentinel down-after-milliseconds weir 500',
            'sentinel failover-timeout weir 2000',
            '',
          ].join('\n'),
        );
        return this.#begin(new RedisServer(port, [file, '--sentinel'], dir));
      }),
    );
    await until(
      async () => /state=online/.test(String(await master.admin('info', 'replication'))),
      'replica',
    );
    await until(async () => {
      const known = await Promise.all(
        sentinels.map(async (each) => String(await each.admin('sentinel', 'ckquorum', 'weir'))),
      );
      const seen = await Promise.all(
        sentinels.map(async (each) => String(await each.admin('info', 'sentinel'))),
      );
      return known.every((each) => /^OK 3/.test(each)) && seen.every((each) => /slaves=1/.test(each));
    }, 'Sentinels');
    return { master, replica, sentinels };
  }

  /** Three masters, each with a replica. `masters[i]` serves the i-th third of the slots. */
  async cluster(): Promise<{
    nodes: readonly Server[];
    masters: readonly Server[];
    roots: { host: string; port: number }[];
  }> {
    const nodes = await Promise.all(
      Array.from({ length: 6 }, async () => {
        let bus = 0;
        const server = await this.#start(async () => {
          bus = await freePort();
          const options = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)];
          options.push('--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no');
          return [...options, '--cluster-replica-validity-factor', '0'];
        });
        return { server, bus };
      }),
    );
    const servers = nodes.map(({ server }) => server);
    const masters = servers.slice(0, 3);
    const slots = [0, 5461, 10923, 16384];
    await Promise.all(servers.map((each, i) => each.admin('cluster', 'set-config-epoch', i + 1)));
    await Promise.all(
      masters.map((each, i) => each.admin('cluster', 'addslotsrange', slots[i]!, slots[i + 1]! - 1)),
    );
    for (const { server, bus } of nodes.slice(1)) {
      await servers[0]!.admin('cluster', 'meet', '127.0.0.1', server.port, bus);
    }
    const info = async (each: Server, what: string): Promise<string> =>
      String(await each.admin('cluster', what));
    const all = async (holds: (each: Server) => Promise<boolean>): Promise<boolean> =>
      (await Promise.all(servers.map(holds))).every(Boolean);
    await until(
      () => all(async (each) => /cluster_known_nodes:6/.test(await info(each, 'info'))),
      'six nodes',
    );
    for (const [i, replica] of servers.slice(3).entries()) {
      const id = String(await masters[i]!.admin('cluster', 'myid'));
      await until(async () => (await replica.admin('cluster', 'replicate', id)) === 'OK', 'replicas');
    }
    await until(
      () => all(async (each) => (await info(each, 'nodes')).match(/[ ,]slave /g)?.length === 3),
      'three replicas known to all',
    );
    await until(() => all(async (each) => /cluster_state:ok/.test(await info(each, 'info'))), 'Cluster');
    await until(async () => {
      const links = await Promise.all(servers.slice(3).map((each) => each.admin('info', 'replication')));
      return links.every((each) => /master_link_status:up/.test(String(each)));
    }, 'replication');
    return { nodes: servers, masters, roots: servers.map(({ port }) => ({ host: '127.0.0.1', port })) };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.splice(0).map((each) => each.kill()));
    await Promise.all(this.#dirs.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
  }

  /** A port that was free a moment ago may be somebody else's by now; then another one is tried. */
  async #start(options: () => Promise<readonly string[]>): Promise<Server> {
    for (let tries = 1; ; tries += 1) {
      const port = await freePort();
      const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      own.push('--loglevel', 'warning', '--repl-diskless-sync-delay', '0');
      try {
        return await this.#begin(new RedisServer(port, [...own, ...(await options())], await this.#dir()));
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  }

  async #begin(server: RedisServer): Promise<Server> {
    this.#all.push(server);
    await server.restart();
    return server;
  }

  async #dir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'weir-redis-'));
    this.#dirs.push(dir);
    return dir;
  }
}
