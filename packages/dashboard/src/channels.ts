interface DiagnosticsChannel {
  subscribe(name: string, listener: (message: unknown) => void): void;
  unsubscribe(name: string, listener: (message: unknown) => void): void;
}
interface Runtime {
  readonly process?: { getBuiltinModule?(id: string): DiagnosticsChannel | undefined };
}

/**
 * Listens to what the kit publishes, where the runtime has diagnostics channels.
 *
 * @param what the channel without its `weir:`, such as 'circuit-breaker:state'
 * @returns a function that ends it
 */
export function subscribe(what: string, listener: (message: unknown) => void): () => void {
  const diagnostics = (globalThis as Runtime).process?.getBuiltinModule?.('node:diagnostics_channel');
  const name = `weir:${what}`;
  diagnostics?.subscribe(name, listener);
  return () => diagnostics?.unsubscribe(name, listener);
}
