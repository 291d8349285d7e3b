export { type Announcement, type InstanceChanges } from './announcement.js';
export { FileDiscovery, type InstanceDraft, type FileDiscoveryOptions, type WaitOptions } from './discovery.js';
export { endpointText, readEndpointName, type Instance, type InstanceTransport, type EndpointName } from './record.js';
export { type InstanceChange, type InstanceListener, type InstanceWatch } from './watch.js';
