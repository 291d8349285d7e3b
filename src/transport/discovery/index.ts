export { type Announcement, type InstanceChanges } from './announcement.js';
export { type Discovery } from './discovery.js';
export { type InstanceDraft } from './draft.js';
export { FileDiscovery, type FileDiscoveryOptions } from './file/discovery.js';
export { type ModelDraft, type ModelType } from './model-card.js';
export { endpointText, readEndpointName, type Instance, type InstanceTransport, type EndpointName } from './record.js';
export { type WaitOptions } from './wait.js';
export { type InstanceChange, type InstanceListener, type InstanceWatch } from './watch.js';
