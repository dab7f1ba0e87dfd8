/** A named stream of events for debuggers and tracers. Look at `hasSubscribers` before building a message. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

interface Runtime {
  readonly process?: {
    getBuiltinModule?(id: string): { channel(name: string): Channel } | undefined;
  };
}

const silent: Channel = { hasSubscribers: false, publish() {} };

/**
 * The `node:diagnostics_channel` of that name (`weir:<package>:<event>`), or a silent one where the runtime has none.
 * With no subscriber a guarded publish costs about 5 ns.
 */
export function channel(name: `weir:${string}:${string}`): Channel {
  const diagnostics = (globalThis as Runtime).process?.getBuiltinModule?.('node:diagnostics_channel');
  return diagnostics?.channel(name) ?? silent;
}
