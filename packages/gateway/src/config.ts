import { z } from 'zod';

// Every piece is strict: a misspelt name is a mistake, not a comment.

const duration = z.union([
  z.number().positive(),
  z
    .string()
    .regex(
      /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/,
      "must be a number of ms, or a string such as '250ms', '10s' or '5m'",
    ),
]);
const name = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores');
const fieldName = z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/, 'must be the name of a header');
const fieldRules = z.record(fieldName, z.union([z.string(), z.literal(false)]));
const method = z.string().regex(/^[A-Z]+$/, 'must be a method in capitals');
const count = z.number().int().positive();

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
  failureRate: z.number().positive().max(1).optional(),
  slowCallRate: z.number().positive().max(1).optional(),
  slowCallAfter: duration.optional(),
  consecutiveFailures: count.optional(),
  minimumCalls: count.optional(),
  openFor: duration.optional(),
  halfOpenCalls: count.optional(),
});

const upstream = z.strictObject({
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

const apiKeys = z.strictObject({
  type: z.literal('api-key'),
  /** The header that carries the key. @default 'x-api-key' */
  header: fieldName.optional(),
  /** Keys are kept as `sha256:<hex>`; `hashApiKey` makes one. */
  keys: z
    .array(
      z.strictObject({
        id: name,
        hash: z
          .string()
          .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256:<64 hex digits>; `weir hash-key` makes one'),
        scopes: z.array(z.string()).optional(),
      }),
    )
    .min(1),
});

const jwt = z
  .strictObject({
    type: z.literal('jwt'),
    jwksUrl: z.url().optional(),
    jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
    issuer: z.union([z.string(), z.array(z.string()).min(1)]),
    audience: z.union([z.string(), z.array(z.string()).min(1)]),
    /** @default RS256, PS256, ES256, EdDSA */
    algorithms: z
      .array(
        z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']),
      )
      .min(1)
      .optional(),
    /** Seconds that clocks may differ by. @default '5s' */
    clockTolerance: duration.optional(),
    /** How soon keys are asked for again when a token names an unknown one. @default '30s' */
    jwksCooldown: duration.optional(),
    /** The claim that holds scopes, a string with spaces or a list. @default 'scope' */
    scopesClaim: z.string().optional(),
  })
  .refine((value) => (value.jwksUrl === undefined) !== (value.jwks === undefined), {
    message: 'must have either jwksUrl or jwks',
  });

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

const limits = z.strictObject({
  limits: z.union([limit, z.array(limit).min(1)]),
  /** By whom requests are counted: whoever has signed in, or the address. @default 'identity' where a route has auth, else 'address' */
  by: z.enum(['address', 'identity']).optional(),
  maxKeys: count.optional(),
  /** Decides and counts, and lets everything pass. */
  shadow: z.boolean().optional(),
  headers: z.union([z.enum(['draft-11', 'draft-7', 'draft-6', 'legacy']), z.literal(false)]).optional(),
});

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

const route = z
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
    respond: z
      .strictObject({
        status: z.number().int().min(200).max(599),
        headers: z.record(fieldName, z.string()).optional(),
        body: z.string().optional(),
      })
      .optional(),
    /** One of `auth` by name, or false. */
    auth: z.union([z.string(), z.literal(false)]).optional(),
    /** All of these must be among the caller's. */
    scopes: z.array(z.string()).optional(),
    limit: limits.optional(),
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
    fallback: z
      .strictObject({
        status: z.number().int().min(200).max(599),
        headers: z.record(fieldName, z.string()).optional(),
        body: z.string().optional(),
      })
      .optional(),
  })
  .refine((value) => (value.upstream === undefined) !== (value.respond === undefined), {
    message: 'must have either upstream or respond',
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
  /** Where the command `weir` keeps limits for all processes; without it each process counts for itself. */
  redis: z
    .strictObject({ url: z.string().regex(/^rediss?:\/\//, 'must be a URL such as redis://127.0.0.1:6379') })
    .optional(),
  accessLog: z.boolean().optional(),
  /** Where Prometheus finds metrics. @default false: nowhere */
  metrics: z.union([z.string().startsWith('/'), z.literal(false)]).optional(),
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
