/** What an index asks of whoever keeps the states. */
export interface Slots {
  /** 0: as good as never seen. Below 1: in use. 1 and above: exhausted, must not be forgotten. */
  pressure(slot: number): number;
  /** The slot changes hands. */
  clear(slot: number): void;
  /** Slots below this are about to be used. */
  grow(slots: number): void;
}

/** Finds the slot of a key, and makes room for new ones. */
export interface KeyIndex {
  /** Keys that are remembered. */
  readonly size: number;
  /** Keys that were forgotten before they were idle. */
  evicted: number;
  /** How often a new key had to share a slot, because all that it might have had were exhausted. */
  overflowed: number;
  /** The key's slot; -1 if it has none but would be given one. */
  find(key: string): number;
  /** The key's slot, if need be a new one. With `force`, never a shared one. */
  claim(key: string, force?: boolean): number;
}

/** How many slots a new key may have. */
export const candidates = 16;
/** Slots that new keys share when those that they might have had are all exhausted. A power of two. */
export const sharedSlots = 64;
