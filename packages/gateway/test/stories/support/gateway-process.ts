import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll } from 'vitest';
import { until } from '../../../../redis/test/servers.ts';
import { type GatewayConfig, hashApiKey } from '../../../src/index.ts';
import { type Answer, type Ask, ask } from '../../fixtures.ts';
import { killAtEnd } from './children.ts';

const cli = join(import.meta.dirname, '../../../src/cli.ts');
const endWithParent = new URL('end-with-parent.ts', import.meta.url).href;
/** For what a process is told to do. */
const deadlineMs = 20_000;

/** One component as the dashboard tells of it. */
export interface Shown {
  readonly kind: string;
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'bad';
  readonly why: string;
  readonly since: number;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a state of its own.
  readonly state: any;
  readonly samples: readonly { name: string; labels: { [label: string]: string }; value: number }[];
}

export interface Frame {
  readonly at: number;
  readonly components: readonly Shown[];
  readonly events: readonly {
    readonly at: number;
    readonly what: string;
    readonly details: { readonly [name: string]: unknown };
    readonly times: number;
  }[];
}

/** An API key, and how a configuration knows it. */
export function apiKey(id: string): { key: string; kept: { id: string; hash: string } } {
  const key = `key-of-${id}`;
  return { key, kept: { id, hash: hashApiKey(key) } };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** The command `weir`, running in a process of its own on a port that the system has chosen. */
export class GatewayProcess {
  readonly port: number;
  readonly #child: Child;
  readonly #file: string;
  readonly #printed: Printed;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  #token: string | undefined;

  private constructor(child: Child, file: string, printed: Printed, port: number) {
    this.#child = child;
    this.#file = file;
    this.#printed = printed;
    this.port = port;
  }

  /** With a dashboard and metrics, unless the configuration says otherwise. */
  static async start(config: GatewayConfig): Promise<GatewayProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'weir-story-'));
    folders.push(folder);
    const file = join(folder, 'gateway.json');
    write(file, config);
    const args = ['--conditions=@weir/source', '--import', endWithParent, cli, file, '--port=0'];
    const child = killAtEnd(
      spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }) as unknown as Child,
    );
    const printed = { out: gathered(child.stdout), err: gathered(child.stderr) };
    const [, port] = await said(child, printed.err, /listens on http:\/\/127\.0\.0\.1:(\d+)/);
    return new GatewayProcess(child, file, printed, Number(port));
  }

  /** Several processes of one configuration. */
  static several(count: number, config: GatewayConfig): Promise<GatewayProcess[]> {
    return Promise.all(Array.from({ length: count }, () => GatewayProcess.start(config)));
  }

  /** False once it has ended, be it by an unhandled rejection. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has complained of. */
  get complaints(): string {
    return this.#printed.err().replace(/^weir: (?:listens on|reloaded).*\n/gm, '');
  }

  /** The lines of its log. */
  get log(): readonly { readonly [name: string]: unknown }[] {
    return this.#printed
      .out()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  ask(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.port, path, { agent: this.#agent, ...options });
  }

  /** Puts another configuration into the file, and has it loaded. Resolves with what is said of it. */
  async reload(config: GatewayConfig | string): Promise<string> {
    write(this.#file, config);
    const before = this.#printed.err().length;
    this.#child.kill('SIGHUP');
    const pattern = /weir: (?:reloaded|not reloaded.*)\n$/s;
    return (await said(this.#child, this.#printed.err, pattern, before))[0];
  }

  async snapshot(): Promise<Frame> {
    return JSON.parse((await this.#page('snapshot')).body);
  }

  /** One component as the dashboard shows it now. */
  async shown(kind: string, name: string): Promise<Shown> {
    const { components } = await this.snapshot();
    const found = components.find((each) => each.kind === kind && each.name === name);
    if (found === undefined) throw new Error(`no ${kind} ${name} is shown`);
    return found;
  }

  /** The series of /metrics, by name and labels in order. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { body } = await this.ask('/metrics');
    const series = new Map<string, number>();
    for (const [, name = '', labels = '', value] of body.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
      series.set(seriesOf(name, Object.fromEntries(pairsOf(labels))), Number(value));
    }
    return series;
  }

  /** Does on the dashboard what an operator would. @returns the status of the answer */
  async act(kind: string, name: string, action: string, argument: string): Promise<number> {
    this.#token ??= /name="weir-token" content="([^"]+)"/.exec((await this.#page('')).body)?.[1] ?? '';
    return this.post({ kind, name, action, argument }, { 'x-weir-token': this.#token });
  }

  /** An action with exactly these headers. */
  async post(what: Record<string, string>, headers: Record<string, string>): Promise<number> {
    return (await this.#page(`actions?${new URLSearchParams(what)}`, { method: 'POST', headers })).status;
  }

  /** Tells it to end. @returns its exit code */
  async end(): Promise<number | null> {
    const closed = once(this.#child, 'close', { signal: AbortSignal.timeout(deadlineMs) });
    this.#agent.destroy();
    this.#child.kill('SIGTERM');
    return (await closed)[0] as number | null;
  }

  #page(name: string, options: Ask = {}): Promise<Answer> {
    const login = Buffer.from(`${operator.user}:${operator.password}`).toString('base64');
    const headers = { authorization: `Basic ${login}`, ...options.headers };
    return this.ask(`/_weir/${name}`, { ...options, headers });
  }
}

interface Printed {
  readonly out: () => string;
  readonly err: () => string;
}

/** Waits until this has been printed. */
async function said(
  child: Child,
  printed: () => string,
  pattern: RegExp,
  from = 0,
): Promise<RegExpExecArray> {
  let found: RegExpExecArray | null = null;
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await until(() => {
    found = pattern.exec(printed().slice(from));
    return found !== null || ended();
  }, String(pattern));
  if (found === null) throw new Error(`the gateway has ended: ${printed()}`);
  return found;
}

/** A series as a key: its name, and its labels in order. */
export function seriesOf(name: string, labels: { readonly [label: string]: string }): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${sorted.map(([label, value]) => `${label}=${value}`).join(',')}}`;
}

const operator = { user: 'ops', password: 'on-call' };
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function write(file: string, config: GatewayConfig | string): void {
  const usual = {
    listen: { host: '127.0.0.1' },
    metrics: '/metrics',
    dashboard: { auth: operator, actions: true },
  };
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify({ ...usual, ...config }));
}

function pairsOf(labels: string): [string, string][] {
  return [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value]);
}

function gathered(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}
