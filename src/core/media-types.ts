/** Media types of bodies, as servers and clients write them. */

export const PROTOBUF = 'application/x-protobuf'
/** Taken for `PROTOBUF`, and sent to who asks for it by this name. */
export const PROTOBUF_ALIAS = 'application/protobuf'
export const JSON_TYPE = 'application/json'
export const PROBLEM_TYPE = 'application/problem+json'
export const EVENT_STREAM = 'text/event-stream'
