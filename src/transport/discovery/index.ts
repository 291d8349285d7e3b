export { type Announcement, type InstanceChanges } from './announcement.js';
export { FileDiscovery, type InstanceDraft } from './file-discovery.js';
export { type Instance, type InstanceTransport } from './instance.js';
export { type InstanceChange, type InstanceListener, type InstanceWatch } from './instance-watch.js';
export { endpointText, readEndpointName, type EndpointName } from './names.js';
export { type FileDiscoveryOptions } from './options.js';
export { type WaitOptions } from './wait.js';
