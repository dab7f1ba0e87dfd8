#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { channel } from '@weir/core';
import { pino } from 'pino';
import {
  ConfigError,
  createGateway,
  type GatewayConfig,
  hashApiKey,
  logEvents,
  validateConfig,
} from './index.ts';

const usage = `weir <config file>           starts a gateway; SIGHUP loads the file again, SIGTERM ends it
weir <config file> --check   says whether the file is valid, and starts nothing
weir hash-key                makes an API key, and the hash of it that goes into the file

  --port <n>    instead of listen.port
  --host <h>    instead of listen.host
The file is .json, or a module (.js, .mjs, .ts) that exports a configuration as its default.`;

const { values, positionals } = readArguments();
const [file] = positionals;
if (values.help === true || file === undefined || positionals.length > 1) {
  console.log(usage);
  process.exit(values.help === true ? 0 : 2);
}
if (file === 'hash-key') {
  const key = randomBytes(24).toString('base64url');
  console.log(`key   ${key}\nhash  ${hashApiKey(key)}`);
} else if (values.check === true) await check(file);
else await run(file);

async function check(path: string): Promise<void> {
  try {
    validateConfig(await load(path));
    console.log(`${path}: valid`);
  } catch (error) {
    fail(error);
  }
}

async function run(path: string): Promise<void> {
  const logger = pino();
  try {
    const config = (await load(path)) as GatewayConfig;
    validateConfig(config);
    const redis = await connect(config);
    logEvents(logger);
    const gateway = createGateway(config, redis === undefined ? { logger } : { logger, redis });
    const { url } = await gateway.listen(
      values.port === undefined ? undefined : Number(values.port),
      values.host,
    );
    process.on('SIGHUP', () => void reload(gateway, path));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void gateway.close().then(() => process.exit(0)));
    }
    // The last thing: whoever waits for this line may send a signal at once.
    console.error(`weir: listens on ${url}`);
  } catch (error) {
    fail(error);
  }
}

async function reload(gateway: ReturnType<typeof createGateway>, path: string): Promise<void> {
  try {
    gateway.reload(await loadAgain(path));
    console.error('weir: reloaded');
  } catch (error) {
    console.error(`weir: not reloaded, the present configuration stays\n${messageOf(error)}`);
  }
}

/** A file that cannot be read is on record as one that is not valid. */
async function loadAgain(path: string): Promise<GatewayConfig> {
  try {
    return (await load(path)) as GatewayConfig;
  } catch (error) {
    channel('weir:gateway:reload-failed').publish({ error });
    throw error;
  }
}

async function load(path: string): Promise<unknown> {
  const full = resolve(path);
  if (extname(full) === '.json') return JSON.parse(readFileSync(full, 'utf8'));
  // A module is kept by its address; another query makes it another one.
  const module = await import(`${pathToFileURL(full).href}?at=${process.hrtime.bigint()}`);
  return module.default;
}

/** A client of the Redis that the configuration names, if it does. */
async function connect({ redis }: GatewayConfig): Promise<object | undefined> {
  if (redis === undefined) return undefined;
  const { Cluster, Redis } = await import('ioredis');
  const retry = (times: number): number => Math.min(50 * times, 500);
  const client =
    redis.cluster === undefined
      ? new Redis(redis.url as string, { retryStrategy: retry })
      : new Cluster(redis.cluster, { clusterRetryStrategy: retry });
  // Its states are told by the gateway; without a listener the client would print each of them.
  client.on('error', () => {});
  return client;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        check: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        host: { type: 'string' },
        port: { type: 'string' },
      },
    });
  } catch (error) {
    return fail(error);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ERR_MODULE_NOT_FOUND') return `cannot read it: ${message}`;
  if (code === 'EADDRINUSE') return `the port is taken: ${message}`;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return `${message}; .ts needs Node 22.18 or newer`;
  return message;
}

function fail(error: unknown): never {
  console.error(`weir: ${messageOf(error)}`);
  process.exit(1);
}
