export type { ObservedError, ResponseFacts } from './facts.js';
export { ResponseObserver } from './observer.js';
