import { describe, expect, test } from 'vitest';
import {
  leastConnections,
  leastResponseTime,
  powerOfTwoChoices,
  random,
  roundRobin,
  type Strategy,
  weightedRoundRobin,
} from '../src/index.ts';
import { type Scenario, scenarios, simulate } from './simulation.ts';

const strategies: { readonly [name: string]: () => Strategy } = {
  random,
  roundRobin,
  weightedRoundRobin,
  leastConnections,
  powerOfTwoChoices,
  leastResponseTime,
};

const run = (scenario: Scenario, strategy: string, seed = 1, requests = 100_000) =>
  simulate(scenario, strategies[strategy]!, {
    requests,
    seed,
    // Three times slower, a third of the weight.
    ...(strategy === 'weightedRoundRobin' ? { weights: scenario.servers.map((mean) => 30 / mean) } : {}),
  });

/** The 99th percentile of response times in ms that each strategy has to reach, best first. */
const tables: { readonly [name in keyof typeof scenarios]: readonly (readonly [string, number])[] } = {
  A: [
    ['leastConnections', 59.0],
    ['leastResponseTime', 59.0],
    ['powerOfTwoChoices', 79.0],
    ['roundRobin', 134.5],
    ['random', 229.8],
  ],
  B: [
    ['leastResponseTime', 61.7],
    ['leastConnections', 87.8],
    ['weightedRoundRobin', 129.1],
    ['powerOfTwoChoices', 151.1],
  ],
  C: [
    ['leastConnections', 47.7],
    ['leastResponseTime', 48.5],
    ['powerOfTwoChoices', 58.5],
    ['roundRobin', 523.2],
    ['random', 542.7],
  ],
  E: [
    ['powerOfTwoChoices', 131.4],
    ['leastConnections', 142.0],
    ['leastResponseTime', 144.6],
    ['random', 226.3],
  ],
};

describe.each(Object.entries(tables))('in scenario %s', (name, table) => {
  const scenario = scenarios[name as keyof typeof scenarios];

  test('the tails of response times are as long as they should be, and in the right order', () => {
    const tails = table.map(([strategy, expected]) => {
      // Three seeds, of which the middle one counts: a tail is made of few requests.
      const [, middle] = [1, 2, 3].map((seed) => run(scenario, strategy, seed).p99).toSorted((x, y) => x - y);
      expect.soft(middle! / expected, strategy).toBeGreaterThan(0.9);
      expect.soft(middle! / expected, strategy).toBeLessThan(1.1);
      return { middle: middle!, expected };
    });
    for (const [i, { middle, expected }] of tails.entries()) {
      const before = tails[i - 1];
      // Those that differ by less than chance does may stand either way.
      if (before !== undefined && expected > 1.05 * before.expected)
        expect(middle).toBeGreaterThan(before.middle);
    }
  }, 60_000);
});

test('twenty balancers with least connections are no herd', () => {
  expect(run(scenarios.E, 'leastConnections').mean).toBeLessThanOrEqual(40);
});

test('round robin drowns servers that are slower than others, unless it is told their weights', () => {
  const plain = run(scenarios.B, 'roundRobin');
  const weighted = run(scenarios.B, 'weightedRoundRobin');
  expect(plain.longestQueue).toBeGreaterThan(50 * weighted.longestQueue);
});

test('a server of which nothing is known is not stormed by those who know nothing of each other', () => {
  expect(run(scenarios.E, 'leastResponseTime').longestQueue).toBeLessThan(40);
});
