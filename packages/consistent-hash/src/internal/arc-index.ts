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
    const bits = this.#bits;
    const target = (hash << bits) >>> 0;
    const first = hash >>> (32 - bits);
    // The page it starts in comes twice: at last for what lies before the hash.
    for (let turn = 0; turn <= this.#mask + 1; turn += 1) {
      const page = (first + turn) & this.#mask;
      for (let i = 0; i < this.#lengths[page]!; i += 1) {
        const entry = this.#read(this.#pages[page]! + i);
        if (turn === 0 && entry < target) continue;
        if (turn > this.#mask && entry >= target) return;
        if (visit(((page << (32 - bits)) | (entry >>> bits)) >>> 0, entry & this.#mask)) return;
      }
    }
  }

  /** Whether the index stays quick and small with that many points and slots, or had better be made anew. */
  fits(size: number, slots: number): boolean {
    const spare = this.#early.length - 2 * this.#late.length;
    return spare > 0 && size > 0 && slots <= this.#mask && Math.abs(bitsFor(size, slots) - this.#bits) < 2;
  }

  /**
   * The index with (`add`) or without these points, ascending, of one slot. `precedes` says which other slots come
   * before it where points are equal. Costs a few words a point, and a copy of the pages' addresses.
   */
  edit(hashes: Uint32Array, slot: number, add: boolean, precedes: (other: number) => boolean): ArcIndex {
    const bits = this.#bits;
    const mask = this.#mask;
    const pages = this.#pages.slice();
    const lengths = this.#lengths.slice();
    const base = this.#early.length + this.#late.length;
    const words: number[] = [];
    const read = (at: number): number => (at < base ? this.#read(at) : words[at - base]!);
    /** Lets a page begin behind what is written so far, and returns where it stood. */
    const move = (page: number): number => {
      const at = pages[page]!;
      pages[page] = base + words.length;
      return at;
    };

    let next = 0;
    while (next < hashes.length) {
      const page = hashes[next]! >>> (32 - bits);
      let at = move(page);
      const end = at + lengths[page]!;
      for (; next < hashes.length && hashes[next]! >>> (32 - bits) === page; next += 1) {
        const point = ((hashes[next]! << bits) | slot) >>> 0;
        for (; at < end; at += 1) {
          const entry = this.#read(at);
          if ((entry ^ point) >>> 0 > mask ? entry > point : !precedes(entry & mask)) break;
          words.push(entry);
        }
        if (add) words.push(point);
        else at += 1;
      }
      for (; at < end; at += 1) words.push(this.#read(at));
      lengths[page] = base + words.length - pages[page]!;
      words.push(0);
    }

    // Guards, backwards: those of the pages above, and of pages before them as long as these name the wrong owner.
    for (const hash of hashes.reverse()) {
      for (let page = hash >>> (32 - bits); ; page = (page - 1) & mask) {
        const guard = (~mask | read(pages[(page + 1) & mask]!)) >>> 0;
        const length = lengths[page]!;
        if (read(pages[page]! + length) === guard) break;
        if (pages[page]! < base) {
          const from = move(page);
          for (let i = 0; i <= length; i += 1) words.push(this.#read(from + i));
        }
        words[pages[page]! - base + length] = guard;
      }
    }

    const late = new Uint32Array(this.#late.length + words.length);
    late.set(this.#late);
    late.set(words, this.#late.length);
    const size = this.size + (add ? hashes.length : -hashes.length);
    return new ArcIndex(size, bits, pages, lengths, this.#early, late);
  }

  #read(at: number): number {
    const early = this.#early.length;
    return at < early ? this.#early[at]! : this.#late[at - early]!;
  }
}

/** Three to five points a page, and room for the slots beside the hash. */
function bitsFor(size: number, slots: number): number {
  return Math.max(4, 32 - Math.clz32(size / 5), 32 - Math.clz32(slots));
}
