import type { Options } from 'tsup';

/** One build recipe for every package: ESM only, declarations rolled up, nothing minified. */
export const library = (entry: Record<string, string>): Options => ({
  entry,
  format: ['esm'],
  target: 'es2023',
  platform: 'neutral',
  external: [/^node:/],
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: false,
  splitting: true,
  // `node:` is how every runtime but Node knows what is meant.
  removeNodeProtocol: false,
});
