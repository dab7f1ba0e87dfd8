// Benches of whole servers: each contender is a process of its own on the first core, wrk asks from the second, and what
// counts is the server's CPU time per request, since throughput on a shared machine says more about the neighbours.
// Needs wrk (Debian: apt-get install wrk), taskset and Linux's /proc.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { promisify } from 'node:util';

/** Where a tool is, or undefined. */
export function pathOf(tool) {
  const { stdout, status } = spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${tool}`]);
  return status === 0 ? stdout.toString().trim() : undefined;
}

/** Those of these tools that the machine has not; a bench that needs them says so and ends. */
export function missing(...tools) {
  return ['taskset', 'wrk', ...tools].filter((tool) => pathOf(tool) === undefined);
}

/** A process on one core. */
export function start(cpu, command, args, options = { stdio: ['ignore', 'ignore', 'inherit'] }) {
  const child = spawn('taskset', ['-c', String(cpu), command, ...args], options);
  child.on('exit', (code) => {
    if (code) console.error(`${command} ended with ${code}`);
  });
  return child;
}

export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until somebody answers there. */
export async function listens(url) {
  for (let i = 0; i < 200; i += 1) {
    try {
      const response = await fetch(url);
      await response.arrayBuffer();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`nobody listens at ${url}`);
}

/** utime and stime of a process; `getconf CLK_TCK` is 100 on every Linux that Node runs on. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Megabytes that a process has in memory. */
export function residentMb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/**
 * Asks for some seconds; gives the server's CPU time per request in microseconds, and what wrk saw.
 *
 * @param options.script a file in Lua that makes the requests, and the arguments it is given
 */
export async function load(
  pid,
  url,
  { seconds = 1, connections = 64, headers = [], script = undefined } = {},
) {
  const before = cpuSeconds(pid);
  const { stdout } = await promisify(execFile)('taskset', [
    ...['-c', '1', pathOf('wrk'), '-t1', `-c${connections}`, `-d${seconds}s`, '--latency'],
    ...headers.flatMap((header) => ['-H', header]),
    ...(script === undefined ? [url] : ['-s', script[0], url, '--', ...script.slice(1)]),
  ]);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return {
    us: ((cpuSeconds(pid) - before) * 1e6) / requests,
    rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p99: /99%\s+(\S+)/.exec(stdout)?.[1] ?? '?',
    trouble: /Non-2xx or 3xx responses: \d+|Socket errors.*$/m.exec(stdout)?.[0],
  };
}

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
