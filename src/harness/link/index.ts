export { faults, type Fault, type FaultPoint, type FaultSide, type HeaderChanges } from './faults.js';
export { Injections, ofKind, onSide, type InjectedFault, type InjectOptions } from './injections.js';
export type { LinkRequest } from './link-request.js';
export { MemoryNetwork } from './memory-network.js';
export { WorkerLink } from './worker-link.js';
