import { WeirError } from '@weir/core';

/** One mistake in a configuration. */
export interface ConfigMistake {
  /** Where: 'routes[0].limit.per'. */
  readonly path: string;
  /** What is allowed, or what was probably meant. */
  readonly message: string;
}

/** A configuration was refused, and nothing of it was put to use. */
export class ConfigError extends WeirError {
  override readonly name: string = 'ConfigError';
  readonly mistakes: readonly ConfigMistake[];

  constructor(mistakes: readonly ConfigMistake[], options?: ErrorOptions) {
    const lines = mistakes.map(({ path, message }) => `  ${path === '' ? '(the whole)' : path}: ${message}`);
    super('ERR_WEIR_GATEWAY_CONFIG', `the configuration is not valid:\n${lines.join('\n')}`, options);
    this.mistakes = mistakes;
  }
}
