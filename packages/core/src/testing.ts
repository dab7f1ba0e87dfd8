export { ManualClock } from './testing/clock.ts';
export { type FakeExchange, type FakeRequest, fakeExchange } from './testing/exchange.ts';
export { seededRandom } from './testing/random.ts';
