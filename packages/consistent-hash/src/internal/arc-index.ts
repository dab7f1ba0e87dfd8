/**
 * A circle of 32-bit points, each owned by a slot, in which the owner of a hash is found without a search.
 *
 * The top `bits` of a hash name its page, which holds a few points in ascending order. Within a page those bits are
 * known, so an entry keeps only the others and has the owner's slot in their place: one word is both. A page ends
 * with a guard, an entry that no hash lies behind, owned like the first point of the next page; so a lookup is one
 * scan, whether or not a point follows in its page.
 *
 * Immutable. A changed index shares all pages but those that the change touched: these are in `late`, and an address
 * beyond `early` means there.
 */
export class ArcIndex {
  /** Number of points. */
  readonly size: number;
  readonly #bits: number;
  /** The bits of an entry that hold the slot; as a slot it is nobody's. Also the number of the last page. */
  readonly #mask: number;
  /** Address of each page. */
  readonly #pages: Uint32Array;
  /** Points of each page, without the guard. */
  readonly #lengths: Uint16Array;
  readonly #early: Uint32Array;
  readonly #late: Uint32Array;

  private constructor(
    size: number,
    bits: number,
    pages: Uint32Array,
    lengths: Uint16Array,
    early: Uint32Array,
    late: Uint32Array,
  ) {
    this.size = size;
    this.#bits = bits;
    this.#mask = pages.length - 1;
    this.#pages = pages;
    this.#lengths = lengths;
    this.#early = early;
    this.#late = late;
  }

  /**
   * Sorts points into an index. Of equal ones, that of the lowest slot comes first. `slots` is one above the highest.
   * O(points), as long as they are spread evenly.
   */
  static from(hashes: Uint32Array, owners: Uint32Array, slots: number): ArcIndex {
    const size = hashes.length;
    const bits = bitsFor(size, slots);
    const count = 1 << bits;
    const pages = new Uint32Array(count);
    const lengths = new Uint16Array(count);
    const entries = new Uint32Array(size + count).fill(-1);
    for (const hash of hashes) lengths[hash >>> (32 - bits)]! += 1;
    // A page is filled from its end, so that its address comes out as its beginning.
    for (let page = 0, end = -1; page < count; page += 1) {
      end += lengths[page]! + 1;
      pages[page] = end;
    }
    for (let i = 0; i < size; i += 1) {
      const entry = ((hashes[i]! << bits) | owners[i]!) >>> 0;
      const page = hashes[i]! >>> (32 - bits);
      let at = pages[page]! - 1;
      pages[page] = at;
      for (; entries[at + 1]! < entry; at += 1) entries[at] = entries[at + 1]!;
      entries[at] = entry;
    }
    // Twice around, since the guards of the last pages point to the first ones.
    for (let i = 2 * count - 1, next = count - 1; i >= 0; i -= 1) {
      const page = i & (count - 1);
      const from = pages[page]!;
      entries[from + lengths[page]!] = -count | next;
      next = entries[from]! & (count - 1);
    }
    return new ArcIndex(size, bits, pages, lengths, entries, entries.subarray(0, 0));
  }

  /** The slot that owns a hash: that of the first point at or after it, around the circle. */
  owner(hash: number): number {
    const target = (hash << this.#bits) >>> 0;
    let entries = this.#early;
    let at = this.#pages[hash >>> (32 - this.#bits)]!;
    if (at >= entries.length) {
      at -= entries.length;
      entries = this.#late;
    }
    while (entries[at]! < target) at += 1;
    return entries[at]! & this.#mask;
  }

  /** Calls `visit` with each point from a hash on, around the circle, until it returns true. */
  each(hash: number, visit: (hash: number, slot: number) => boolean): void {
    const from = hash >>> 0;
    const bits = this.#bits;
    const shift = 32 - bits;
    // The page it starts in comes twice: at last for what lies before the hash.
    for (let turn = 0; turn <= this.#mask + 1; turn += 1) {
      const page = ((from >>> shift) + turn) & this.#mask;
      for (let i = 0; i < this.#lengths[page]!; i += 1) {
        const entry = this.#read(this.#pages[page]! + i);
        const point = ((page << shift) | (entry >>> bits)) >>> 0;
        if (turn === 0 ? point < from : turn > this.#mask && point >= from) continue;
        if (visit(point, entry & this.#mask)) return;
      }
    }
  }

  /**
   * The index with (`add`) or without these points, ascending, of one slot; undefined if it had better be made anew, to
   * stay quick and small. `precedes` says which other slots come before it where points are equal. `slots` is one above
   * the highest. Costs a few words a point, and a copy of the pages' addresses.
   */
  edit(
    points: Uint32Array,
    slot: number,
    slots: number,
    add: boolean,
    precedes: (other: number) => boolean,
  ): ArcIndex | undefined {
    const bits = this.#bits;
    const mask = this.#mask;
    const size = this.size + (add ? points.length : -points.length);
    const full = slots > mask || this.#early.length <= 2 * this.#late.length;
    if (full || size === 0 || Math.abs(bitsFor(size, slots) - bits) > 1) return undefined;
    const shift = 32 - bits;
    const pages = this.#pages.slice();
    const lengths = this.#lengths.slice();
    const base = this.#early.length + this.#late.length;
    const words: number[] = [];
    const read = (at: number): number => (at < base ? this.#read(at) : words[at - base]!);
    /** Copies a page, unless that is done, and returns where its guard is now. */
    const own = (page: number): number => {
      const from = pages[page]!;
      if (from < base) {
        pages[page] = base + words.length;
        for (let i = 0; i <= lengths[page]!; i += 1) words.push(this.#read(from + i));
      }
      return pages[page]! - base + lengths[page]!;
    };

    for (const point of points) {
      const page = point >>> shift;
      const entry = ((point << bits) | slot) >>> 0;
      const guard = own(page);
      let at = guard - lengths[page]!;
      for (; at < guard; at += 1) {
        const other = words[at]!;
        if ((other ^ entry) >>> 0 > mask ? other > entry : !precedes(other & mask)) break;
      }
      // Points ascend, so this page is the last one written. Its guard is made wrong, to be mended below.
      words.splice(at, add ? 0 : 1, ...(add ? [entry] : []));
      lengths[page]! += add ? 1 : -1;
      words[words.length - 1] = 0;
    }

    // Guards, backwards: those of the pages above, and of pages before them as long as these name the wrong owner.
    for (const point of points.reverse()) {
      for (let page = point >>> shift; ; page = (page - 1) & mask) {
        const guard = (~mask | read(pages[(page + 1) & mask]!)) >>> 0;
        if (read(pages[page]! + lengths[page]!) === guard) break;
        words[own(page)] = guard;
      }
    }

    const late = new Uint32Array(this.#late.length + words.length);
    late.set(this.#late);
    late.set(words, this.#late.length);
    return new ArcIndex(size, bits, pages, lengths, this.#early, late);
  }

  #read(at: number): number {
    const early = this.#early.length;
    return at < early ? this.#early[at]! : this.#late[at - early]!;
  }
}

/**
 * Room for the slots beside the hash, and about two pages a point, so that most lookups look at one entry; but beyond
 * 2^15 pages no more than one for five points, since there the caches of a processor end.
 */
function bitsFor(size: number, slots: number): number {
  return Math.max(4, Math.min(15, bitLength(2 * size)), bitLength(size / 5), bitLength(slots));
}

function bitLength(x: number): number {
  return 32 - Math.clz32(x);
}
