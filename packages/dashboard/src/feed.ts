import type { Sink, Source } from '@weir/core';
import type { Camera, Frame } from './snapshot.ts';

const interval = 1_000;
/** A new page starts with a minute of the past, if somebody has been looking. */
const remembered = 60;
const maxViewers = 100;

const encoder = new TextEncoder();

/** Frames for everybody who looks: one timer for all of them, none while nobody looks. */
export class Feed {
  readonly #camera: Camera;
  readonly #viewers = new Set<Viewer>();
  readonly #past: Uint8Array[] = [];
  #id = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(camera: Camera) {
    this.#camera = camera;
  }

  /** Whether one more may look. */
  get full(): boolean {
    return this.#viewers.size >= maxViewers;
  }

  /** Server-sent events, from a minute ago on. */
  open(): Source {
    const viewer = new Viewer(
      () => {
        this.#viewers.add(viewer);
        if (this.#timer === undefined) this.#begin();
        else for (const event of this.#past) viewer.show(event);
      },
      () => {
        this.#viewers.delete(viewer);
        if (this.#viewers.size === 0) this.#stop();
      },
    );
    return viewer;
  }

  close(): void {
    for (const viewer of [...this.#viewers]) viewer.end();
  }

  #begin(): void {
    // What was seen before a pause would draw a line through it.
    this.#past.length = 0;
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), interval);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const event = eventOf(this.#id++, this.#camera.take());
    this.#past.push(event);
    if (this.#past.length > remembered) this.#past.shift();
    for (const viewer of this.#viewers) viewer.show(event);
  }
}

function eventOf(id: number, frame: Frame): Uint8Array {
  return encoder.encode(`id: ${id}\ndata: ${JSON.stringify(frame)}\n\n`);
}

/** One open page. A slow one misses frames instead of having them pile up. */
class Viewer implements Source {
  readonly #opened: () => void;
  readonly #closed: () => void;
  #sink: Sink | undefined;
  #ready = true;

  constructor(opened: () => void, closed: () => void) {
    this.#opened = opened;
    this.#closed = closed;
  }

  start(sink: Sink): void {
    this.#sink = sink;
    this.#opened();
  }

  resume(): void {
    this.#ready = true;
  }

  cancel(): void {
    this.#sink = undefined;
    this.#closed();
  }

  show(event: Uint8Array): void {
    if (this.#ready && this.#sink !== undefined) this.#ready = this.#sink.write(event);
  }

  end(): void {
    this.#sink?.end();
    this.cancel();
  }
}
