import { z } from 'zod';
import { apiKeys, jwt } from './config/auth.ts';
import { route } from './config/route.ts';
import { upstream } from './config/upstream.ts';
import { duration, name } from './config/values.ts';

// Every piece is strict: a misspelt name is a mistake, not a comment.

const redisUrl = z.string().regex(/^rediss?:\/\//, 'must be a URL such as redis://127.0.0.1:6379');

const redis = z
  .strictObject({
    url: redisUrl.optional(),
    /** Some nodes of a Cluster, to begin with. */
    cluster: z.array(redisUrl).min(1).optional(),
    /** How long an answer may take: what a decision waits at most. @default '100ms' */
    timeout: duration.optional(),
    /** How limits are counted there. @default 'exact' */
    mode: z.enum(['exact', 'batched', 'leased']).optional(),
    /** The part of each limit that this process admits while Redis fails: 1/n for n processes. @default 1 */
    localShare: z.number().positive().max(1).optional(),
  })
  .refine((value) => (value.url === undefined) !== (value.cluster === undefined), {
    message: 'must have either url or cluster',
  });

export const gatewaySchema = z.strictObject({
  listen: z
    .strictObject({
      port: z.number().int().min(0).max(65_535).optional(),
      host: z.string().optional(),
      /** PEM texts. */
      tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
    })
    .optional(),
  trustedProxies: z.union([z.number().int().min(0).max(100), z.array(z.string())]).optional(),
  upstreams: z.record(name, upstream),
  auth: z.record(name, z.union([apiKeys, jwt])).optional(),
  routes: z.array(route).min(1),
  /** Limits for all processes, and purges told to all; without it each process is for itself. */
  redis: redis.optional(),
  accessLog: z.boolean().optional(),
  /** Where Prometheus finds metrics. @default false: nowhere */
  metrics: z
    .union([
      z.literal(false),
      z.string().startsWith('/'),
      z.strictObject({
        /** @default '/metrics' */
        path: z.string().startsWith('/').optional(),
        /** Whether CPU, memory, event loop and garbage collection of the process are shown too. @default false */
        process: z.boolean().optional(),
      }),
    ])
    .optional(),
  dashboard: z
    .union([
      z.literal(false),
      z.strictObject({
        path: z
          .string()
          .regex(/^\/.*\/$/, 'must begin and end with a slash')
          .optional(),
        auth: z.strictObject({ user: z.string().min(1), password: z.string().min(1) }).optional(),
        actions: z.boolean().optional(),
      }),
    ])
    .optional(),
  /** How long `close` and a reload wait for what is under way. @default '30s' */
  drain: duration.optional(),
});

/** What a gateway is made of. */
export type GatewayConfig = z.input<typeof gatewaySchema>;
export type RouteConfig = GatewayConfig['routes'][number];
export type UpstreamConfig = GatewayConfig['upstreams'][string];
export type AuthConfig = NonNullable<GatewayConfig['auth']>[string];
export type RedisConfig = NonNullable<GatewayConfig['redis']>;

/** What a route is called in metrics and logs. */
export function routeName({ name }: RouteConfig, index: number): string {
  return name ?? `route-${index + 1}`;
}
