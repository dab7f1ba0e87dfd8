export { type ProxyOptions, type ProxyPolicy, proxy } from './proxy.ts';
