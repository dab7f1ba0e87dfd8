import type { Source } from '@weir/core';

/** How much of a source may wait in a stream before it is asked to pause. */
const highWaterMark = 64 * 1024;

/**
 * A source as a web stream, with backpressure counted in bytes.
 *
 * @param cut told when the source aborts
 */
export function streamOf(
  source: Source,
  cut: (error: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let done = false;
  let paused = false;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        source.start({
          write(chunk) {
            if (done) return true;
            controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
            paused = (controller.desiredSize ?? 0) <= 0;
            return !paused;
          },
          end() {
            if (done) return;
            done = true;
            controller.close();
          },
          abort(error) {
            if (done) return;
            done = true;
            cut(error);
            controller.error(error);
          },
        });
      },
      pull() {
        if (!paused || done) return;
        paused = false;
        source.resume();
      },
      cancel(reason) {
        if (done) return;
        done = true;
        source.cancel(reason);
      },
    },
    { highWaterMark, size: (chunk) => chunk.byteLength },
  );
}

/** A web stream as a source. */
export function sourceOf(stream: ReadableStream<Uint8Array>): Source {
  const reader = stream.getReader();
  let wake: (() => void) | undefined;
  let cancelled = false;
  return {
    start(sink) {
      const pump = async (): Promise<void> => {
        for (;;) {
          const { done, value } = await reader.read();
          if (cancelled) return;
          if (done) return sink.end();
          if (!sink.write(value)) await new Promise<void>((resolve) => (wake = resolve));
        }
      };
      pump().catch((error: unknown) => {
        if (!cancelled) sink.abort(error);
      });
    },
    resume() {
      wake?.();
    },
    cancel(reason) {
      cancelled = true;
      wake?.();
      // The other end may have failed already; that it failed is no news to whoever cancels.
      reader.cancel(reason).catch(() => {});
    },
  };
}

/** Who follows a stream on its way to the client. */
export interface Watcher {
  chunk(chunk: Uint8Array): void;
  end(how: 'complete' | 'aborted' | 'error', error?: unknown): void;
}

/** The same stream, with somebody looking on. */
export function watched(
  stream: ReadableStream<Uint8Array>,
  watcher: Watcher,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            watcher.end('complete');
            controller.close();
            return;
          }
          watcher.chunk(value);
          controller.enqueue(value as Uint8Array<ArrayBuffer>);
        } catch (error) {
          watcher.end('error', error);
          controller.error(error);
        }
      },
      cancel(reason) {
        watcher.end('aborted');
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
