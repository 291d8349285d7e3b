export {
  ACK_ACCEPTED,
  ACK_AT_CAPACITY,
  ACK_INVALID_PATH,
  ACK_POOL_CLOSED,
  AckDecoder,
  classifyAck,
  encodeAck,
  readAck,
  tooLargeAck,
  unknownEndpointAck,
  type Ack,
} from './ack.js';
export { formatWorkerAddress, parseWorkerAddress, type WorkerAddress } from './address.js';
export { ChunkList } from './chunk-list.js';
export { type StreamType, type TcpStreamConnectionInfo } from './connection-info.js';
export { decodeControlMessage, encodeControlMessage, MAX_CONTROL_MESSAGE_SIZE, type ControlMessage } from './control-message.js';
export { errorFromWire, errorToWire, type DynamoError } from './dynamo-error.js';
export { type HostPort } from './host-port.js';
export { isObject } from './fields.js';
export { decodeJson, encodeJson, jsonText } from './json.js';
export { isU64 } from './wire-integer.js';
export { DEFAULT_MAX_MESSAGE_SIZE, MAX_FIELD_SIZE, type FrameRefusal } from './limits.js';
export { isPayloadCodecName, payloadCodec, type PayloadCodec, type PayloadCodecName } from './payload-codec.js';
export { encodeRequestFrame, type EncodedRequestFrame } from './request-frame.js';
export { RequestFrameDecoder, type RequestFrame } from './request-frame-decoder.js';
export { fitHeaders, type FittedHeaders, type RequestHeaders } from './request-headers.js';
export {
  annotatedFromWire,
  annotatedToWire,
  dataItemContent,
  decodeStreamItem,
  encodeStreamItem,
  itemError,
  streamItemContent,
  type Annotated,
  type StreamItem,
} from './stream-item.js';
export {
  decodeHandshake,
  decodePrologue,
  decodeStreamControl,
  encodeHandshake,
  encodePrologue,
  encodeStreamControl,
  type Handshake,
  type Prologue,
  type StreamControl,
} from './stream-messages.js';
export { dataFrameRoom, decodeTwoPart, encodeTwoPart, TwoPartDecoder, writeDataFrame, type TwoPartFrame, type TwoPartKind, type TwoPartOptions } from './two-part.js';
