/** Uniform numbers from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** The runtime's own generator. Not for secrets. */
export const random: Random = Math.random;
