import { createBreaker, timeWindow } from '../src/index.ts';
import { createOpossumBreaker } from '../src/opossum.ts';
import { conformance } from './conformance.ts';

conformance('createBreaker', (options) => createBreaker({ ...options, window: timeWindow('10s') }));

conformance(
  'createOpossumBreaker',
  (options) => createOpossumBreaker({ ...options, window: timeWindow('10s') }),
  {
    ignoredProbeOpens: true,
    lapsedLeaseOpens: true,
    countsCallsUnderWay: true,
    opensOnFailuresOnly: true,
  },
);
