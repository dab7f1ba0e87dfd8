import type { KeyIndex, Slots } from './internal/key-index.ts';

/** How a limiter finds the state of a key: `tableStorage()` or `mapStorage()`. */
export interface KeyStorage {
  readonly kind: 'table' | 'map';
  /** @internal */
  open(maxKeys: number, slots: Slots): KeyIndex;
}
