import { describe, test } from 'vitest';
import { conformanceCases } from '../src/testing.ts';
import { hosts } from './hosts.ts';

describe.each(hosts)('$name', (host) => {
  for (const { name, run } of conformanceCases(host)) test(name, run);
});
