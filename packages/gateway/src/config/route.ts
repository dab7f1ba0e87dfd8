import { z } from 'zod';
import { limits, login } from './limit.ts';
import { duration, fieldName, fieldRules, method, name } from './values.ts';

const cache = z.strictObject({
  maxBytes: z.number().int().min(1024).optional(),
  maxEntryBytes: z.number().int().min(0).optional(),
  staleWhileRevalidate: duration.optional(),
  staleIfError: duration.optional(),
});

const cors = z.strictObject({
  /** Exact origins, or '*' for all, which then may not send credentials. */
  origins: z.union([
    z.literal('*'),
    z.array(z.string().regex(/^https?:\/\/[^/]+$/, 'must be an origin such as https://app.example')).min(1),
  ]),
  methods: z.array(method).optional(),
  headers: z.array(fieldName).optional(),
  expose: z.array(fieldName).optional(),
  credentials: z.boolean().optional(),
  maxAge: duration.optional(),
});

const fixedAnswer = z.strictObject({
  status: z.number().int().min(200).max(599),
  headers: z.record(fieldName, z.string()).optional(),
  body: z.string().optional(),
});

export const route = z
  .strictObject({
    /** Shown in metrics and logs. @default 'route-<n>' */
    name: name.optional(),
    /** What it is for; the first route that fits answers. */
    match: z.strictObject({
      /** A host name, or `*.example.com`. */
      host: z.string().optional(),
      /** An exact path, or everything below one: `/api/*`. @default everything */
      path: z.string().startsWith('/').optional(),
      method: z.union([method, z.array(method).min(1)]).optional(),
    }),
    upstream: z.string().optional(),
    /** A fixed answer instead of an upstream. */
    respond: fixedAnswer.optional(),
    /** One of `auth` by name, or false. */
    auth: z.union([z.string(), z.literal(false)]).optional(),
    /** All of these must be among the caller's. */
    scopes: z.array(z.string()).optional(),
    limit: limits.optional(),
    /** Holds back guessing of passwords: counts answers 401 and 403. */
    login: login.optional(),
    cache: cache.optional(),
    cors: cors.optional(),
    /** Taken off the front of the path before it goes upstream. */
    stripPrefix: z.string().startsWith('/').optional(),
    /** Put in front of the path, after stripPrefix. */
    addPrefix: z.string().startsWith('/').optional(),
    query: z
      .strictObject({
        set: z.record(z.string(), z.string()).optional(),
        remove: z.array(z.string()).optional(),
      })
      .optional(),
    headers: z.strictObject({ request: fieldRules.optional(), response: fieldRules.optional() }).optional(),
    timeout: z
      .strictObject({
        connect: duration.optional(),
        head: duration.optional(),
        idle: duration.optional(),
        total: duration.optional(),
      })
      .optional(),
    retry: z
      .union([
        z.literal(false),
        z.strictObject({
          max: z.number().int().min(0).max(10).optional(),
          statuses: z.array(z.number().int()).optional(),
        }),
      ])
      .optional(),
    hedgeAfter: duration.optional(),
    /** Bytes that a request's body may have. */
    maxBody: z.number().int().min(0).optional(),
    websocket: z.boolean().optional(),
    /** What is answered in place of a 502, 503 or 504. */
    fallback: fixedAnswer.optional(),
  })
  .refine((value) => (value.upstream === undefined) !== (value.respond === undefined), {
    message: 'must have either upstream or respond',
  });
