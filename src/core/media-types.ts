/** Media types of bodies, as servers and clients write them. */

export const PROTOBUF = 'application/x-protobuf'
/** Another name of `PROTOBUF`: taken for it, and sent to a client that asks by this name. */
export const PROTOBUF_ALIAS = 'application/protobuf'
export const JSON_TYPE = 'application/json'
/** A JSON merge patch (RFC 7396). */
export const MERGE_PATCH = 'application/merge-patch+json'
export const CSV_TYPE = 'text/csv'
/** Arrow's IPC stream (https://www.iana.org/assignments/media-types/application/vnd.apache.arrow.stream). */
export const ARROW_TYPE = 'application/vnd.apache.arrow.stream'
export const PROBLEM_TYPE = 'application/problem+json'
/** Bytes of a form that their address tells. */
export const OCTETS = 'application/octet-stream'
/** A netCDF file, of any version. */
export const NETCDF = 'application/netcdf'
export const EVENT_STREAM = 'text/event-stream'
