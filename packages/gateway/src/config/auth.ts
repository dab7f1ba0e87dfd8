import { z } from 'zod';
import { duration, fieldName, name } from './values.ts';

export const apiKeys = z.strictObject({
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

export const jwt = z
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
