import { z } from 'zod';

export const duration = z.union([
  z.number().positive(),
  z
    .string()
    .regex(
      /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/,
      "must be a number of ms, or a string such as '250ms', '10s' or '5m'",
    ),
]);
export const name = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores');
export const fieldName = z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/, 'must be the name of a header');
export const fieldRules = z.record(fieldName, z.union([z.string(), z.literal(false)]));
export const method = z.string().regex(/^[A-Z]+$/, 'must be a method in capitals');
export const count = z.number().int().positive();
