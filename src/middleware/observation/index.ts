export type { ObservedError, ResponseFacts } from './facts.js';
export { ResponseObserver } from './observer.js';
export { pickJson } from './pick-json.js';
