// The one way every bench measures: contenders interleaved round by round in one process, medians of rounds, ratios
// to a named base. On a shared machine the absolute numbers move; the ratios within a round hold better.

/** Keeps a result alive so that the compiler cannot remove the work. */
let sink = 0;
export const keep = (value) => {
  sink ^= value === undefined || value === null ? 0 : 1;
  return sink;
};

/**
 * Times synchronous or asynchronous contenders.
 *
 * @param contenders name -> `(ops) => void | Promise<void>`, which does `ops` operations per call (its own loop, so that no
 *   call overhead is added), or an array [name, fn] list.
 * @returns rows { name, ns, min, max, ratio }, ns being the median over rounds of ns per operation.
 */
export async function compare(contenders, { ops = 200_000, rounds = 9, warmup = 2, base } = {}) {
  const list = Object.entries(contenders);
  const samples = new Map(list.map(([name]) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    // Another order each round, so that nobody always runs behind the one that leaves the most garbage.
    for (let i = 0; i < list.length; i += 1) {
      const [name, fn] = list[(i + Math.max(0, round)) % list.length];
      globalThis.gc?.();
      const count = typeof ops === 'function' ? ops(name) : ops;
      const started = process.hrtime.bigint();
      await fn(count);
      const ns = Number(process.hrtime.bigint() - started) / count;
      if (round >= 0) samples.get(name).push(ns);
    }
  }
  const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  const baseNs = samples.get(base ?? list[0][0]);
  return list.map(([name]) => {
    const own = samples.get(name);
    return {
      name,
      ns: median(own),
      min: Math.min(...own),
      max: Math.max(...own),
      // The median of per-round ratios is steadier than the ratio of medians.
      ratio: median(own.map((ns, round) => ns / baseNs[round])),
    };
  });
}

export function print(title, rows, base) {
  console.log(`\n${title} (node ${process.version}, median of rounds; x = times ${base ?? rows[0].name})`);
  const width = Math.max(...rows.map((row) => row.name.length));
  for (const { name, ns, min, max, ratio } of rows) {
    const digits = ns < 100 ? 1 : 0;
    console.log(
      `  ${name.padEnd(width)}  ${ns.toFixed(digits).padStart(9)} ns  ${ratio.toFixed(2).padStart(8)} x   (${min.toFixed(digits)} .. ${max.toFixed(digits)})`,
    );
  }
}

/** One line for each goal: what was asked, what was seen, whether it held. Reported, never asserted. */
export function goal(text, seen, holds) {
  console.log(`  ${holds ? 'met   ' : 'MISSED'}  ${text}: ${seen}`);
}

/** Bytes of heap and array buffers that `make()` leaves alive, divided by `count`. Needs --expose-gc. */
export function bytesEach(count, make) {
  const used = () => {
    globalThis.gc();
    globalThis.gc();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + Math.max(external, arrayBuffers);
  };
  const before = used();
  const kept = make();
  const bytes = (used() - before) / count;
  keep(kept);
  return { bytes, kept };
}
