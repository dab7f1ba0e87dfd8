// `npm start` as a newcomer types it: waits for the first answer, tries a few things, then sends Ctrl-C.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const port = 18080;
const url = `http://127.0.0.1:${port}`;
const started = performance.now();
const child = spawn('npm', ['start'], {
  cwd: join(import.meta.dirname, '../..'),
  env: { ...process.env, PORT: String(port) },
  stdio: ['ignore', 'pipe', 'inherit'],
  detached: true,
});
let printed = '';
child.stdout.on('data', (chunk) => {
  printed += chunk;
});
const ended = new Promise((resolve) => child.on('exit', resolve));
process.on('exit', () => {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All gone already, as it should be.
  }
});

const deadline = started + 180_000;
let first;
while (first === undefined) {
  assert.ok(performance.now() < deadline, `no answer from ${url} in time:\n${printed}`);
  assert.equal(child.exitCode, null, `npm start ended:\n${printed}`);
  first = await fetch(`${url}/api/hello`).catch(() => new Promise((resolve) => setTimeout(resolve, 250)));
}
const { upstream } = await first.json();
assert.match(upstream, /^[abc]$/);
assert.match(printed, /curl -i http:\/\/localhost:18080\/api\/hello/);
console.log(`start: answered after ${((performance.now() - started) / 1000).toFixed(0)} s`);

// The terminal sends Ctrl-C to the whole group of processes.
process.kill(-child.pid, 'SIGINT');
await ended;
await assert.rejects(fetch(`${url}/api/hello`), 'something still listens after Ctrl-C');
console.log('start: Ctrl-C left nothing behind');
