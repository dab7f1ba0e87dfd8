import { z } from 'zod';
import { count, duration, fieldName } from './values.ts';

const algorithms = ['fixedWindow', 'slidingLog', 'slidingWindow', 'tokenBucket', 'leakyBucket'] as const;

const limit = z.strictObject({
  /** @default 'tokenBucket' */
  algorithm: z.enum(algorithms).optional(),
  limit: count,
  per: duration,
  /** Of a token bucket. */
  burst: count.optional(),
  /** Of a leaky bucket. */
  capacity: count.optional(),
});

/** What becomes of requests when Redis, or another store, gives no answer. */
const onStoreError = z.enum(['local', 'open', 'closed']);

export const limits = z.strictObject({
  limits: z.union([limit, z.array(limit).min(1)]),
  /** By whom requests are counted: whoever has signed in, or the address. @default 'identity' where a route has auth, else 'address' */
  by: z.enum(['address', 'identity']).optional(),
  maxKeys: count.optional(),
  /** Decides and counts, and lets everything pass. */
  shadow: z.boolean().optional(),
  headers: z.union([z.enum(['draft-11', 'draft-7', 'draft-6', 'legacy']), z.literal(false)]).optional(),
  /** @default 'local': each process decides by what it has admitted */
  onStoreError: onStoreError.optional(),
});

export const login = z.strictObject({
  /** What tells which account is being entered: a field of a JSON or form body, a header, or the user of HTTP Basic. */
  account: z.union([
    z.literal('basic'),
    z.strictObject({ json: z.string().min(1) }),
    z.strictObject({ form: z.string().min(1) }),
    z.strictObject({ header: fieldName }),
  ]),
  /** Failures of one address on one account. @default 5 in 15 minutes */
  perPair: limit.optional(),
  /** Failures of one address on all accounts. @default 50 in an hour */
  perAddress: limit.optional(),
  /** Failures of all addresses on one account. @default none */
  perAccount: limit.optional(),
  onStoreError: onStoreError.optional(),
});
