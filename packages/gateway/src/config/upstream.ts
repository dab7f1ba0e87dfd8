import { z } from 'zod';
import { count, duration } from './values.ts';

const server = z.union([
  z.string().regex(/^https?:\/\//, 'must be a URL such as http://10.0.0.7:8080'),
  z.strictObject({
    url: z.string().regex(/^https?:\/\//, 'must be a URL such as http://10.0.0.7:8080'),
    weight: z.number().int().min(0).optional(),
    zone: z.string().optional(),
    priority: z.number().int().min(0).optional(),
  }),
]);

const strategies = [
  'roundRobin',
  'weightedRoundRobin',
  'random',
  'weightedRandom',
  'leastConnections',
  'leastResponseTime',
  'powerOfTwoChoices',
  'ipHash',
  'consistentHash',
] as const;

const breaker = z.strictObject({
  /** The calls that rates are taken over. @default { time: '10s' } */
  window: z
    .strictObject({ time: duration.optional(), calls: count.optional() })
    .refine((value) => (value.time === undefined) !== (value.calls === undefined), {
      message: 'must have either time or calls',
    })
    .optional(),
  failureRate: z.number().positive().max(1).optional(),
  slowCallRate: z.number().positive().max(1).optional(),
  slowCallAfter: duration.optional(),
  consecutiveFailures: count.optional(),
  minimumCalls: count.optional(),
  openFor: duration.optional(),
  halfOpenCalls: count.optional(),
});

export const upstream = z.strictObject({
  /** Servers that can stand in for each other. */
  servers: z.array(server).min(1),
  strategy: z.enum(strategies).optional(),
  health: z
    .strictObject({
      path: z.string().startsWith('/').optional(),
      interval: duration.optional(),
      timeout: duration.optional(),
      rise: count.optional(),
      fall: count.optional(),
    })
    .optional(),
  outliers: z
    .union([
      z.literal(false),
      z.strictObject({ consecutiveFailures: count.optional(), ejectFor: duration.optional() }),
    ])
    .optional(),
  slowStart: duration.optional(),
  zone: z.string().optional(),
  sticky: z.strictObject({ cookie: z.string().optional(), secret: z.string().min(16) }).optional(),
  breaker: breaker.optional(),
  tls: z
    .strictObject({
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      servername: z.string().optional(),
      rejectUnauthorized: z.boolean().optional(),
    })
    .optional(),
});
