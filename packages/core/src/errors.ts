/**
 * Base of every error that Weir throws. `code` is stable and safe to switch on; unlike `instanceof` it also holds
 * across two installed copies of a package.
 */
export class WeirError extends Error {
  override readonly name: string = 'WeirError';
  readonly code: string;

  constructor(code: `ERR_WEIR_${string}`, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An option is missing, unknown or out of range. Always thrown at construction, never per request. */
export class InvalidOptionError extends WeirError {
  override readonly name: string = 'InvalidOptionError';
  /** The option's name; a dotted path for nested ones. */
  readonly option: string;

  constructor(option: string, expected: string, received: unknown) {
    super('ERR_WEIR_INVALID_OPTION', `option \`${option}\` must be ${expected}, got ${show(received)}`);
    this.option = option;
  }
}

/** The request's body was read before a policy asked for it, usually by a body parser mounted in front. */
export class BodyConsumedError extends WeirError {
  override readonly name: string = 'BodyConsumedError';

  constructor() {
    super(
      'ERR_WEIR_BODY_CONSUMED',
      'the request body has been read already; mount this policy before any body parser',
    );
  }
}

/** A value in a few characters, for messages. Never throws, whatever comes. */
function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
