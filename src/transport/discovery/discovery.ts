import type { Announcement } from './announcement.js';
import type { InstanceDraft } from './draft.js';
import type { ModelDraft, ServedModel } from './model-card.js';
import type { EndpointName, Instance } from './record.js';
import type { WaitOptions } from './wait.js';
import type { InstanceWatch } from './watch.js';

/** Finds and announces workers and their models. `FileDiscovery` and `EtcdDiscovery` are one. */
export interface Discovery {
  /**
   * Writes an instance's record and keeps it alive until it is withdrawn or this object closed.
   * @throws ERR_OPTION_INVALID; ERR_DISCOVERY when it cannot be written or is announced already; ERR_CLIENT_CLOSED
   */
  announce(draft: InstanceDraft): Promise<Announcement>;
  /**
   * Announces an instance and the card of the model that it serves: Dynamo's HTTP frontend then lists the model and sends its requests.
   * Both records are written, kept alive and withdrawn together.
   * @throws ERR_OPTION_INVALID naming the field that Dynamo would refuse; ERR_DEPENDENCY_MISSING without `@noble/hashes` where there are
   * card files; ERR_DISCOVERY when it cannot be written or is announced already; ERR_CLIENT_CLOSED
   */
  announceModel(endpoint: InstanceDraft, model: ModelDraft): Promise<Announcement>;
  /**
   * The live instances of an endpoint (`namespace.component.endpoint`), by id. An empty or missing store has none.
   * @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED
   */
  instances(endpoint: string | EndpointName): Promise<readonly Instance[]>;
  /**
   * The models that an endpoint's live workers serve, as their cards say, by instance id. Workers without a card, as those of `announce`, are
   * not among them; a card that says too little is left out with a warning.
   * @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED
   */
  models(endpoint: string | EndpointName): Promise<readonly ServedModel[]>;
  /**
   * Watches the instances of an endpoint, beginning with the current list.
   * @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED
   */
  watch(endpoint: string | EndpointName): Promise<InstanceWatch>;
  /**
   * Waits until an endpoint has instances.
   * @throws ERR_NO_WORKERS with `timeoutMs` when there are not enough in time; ERR_CANCELLED; ERR_DISCOVERY; ERR_CLIENT_CLOSED
   */
  waitForInstances(endpoint: string | EndpointName, options?: WaitOptions): Promise<readonly Instance[]>;
  /** Withdraws what was announced and ends every watch. @throws ERR_DISCOVERY when a record cannot be removed */
  close(): Promise<void>;
}
