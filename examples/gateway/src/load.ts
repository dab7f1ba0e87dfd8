import { setTimeout as sleep } from 'node:timers/promises';

/** Keeps the gateway busy, so that the dashboard moves: about 60 requests a second, more than the limit now and then. */
export async function load(url: string): Promise<never> {
  console.log('Load: about 60 requests a second, a burst every 10 s.');
  const ask = async (path: string): Promise<void> => {
    try {
      await (await fetch(url + path)).arrayBuffer();
    } catch {
      // The gateway is being stopped.
    }
  };
  for (let second = 0; ; second += 1) {
    const requests = second % 10 === 9 ? 200 : 60;
    for (let i = 0; i < requests; i += 1) void ask(i % 4 === 0 ? '/api/cached' : '/api/hello');
    await sleep(1_000);
  }
}
