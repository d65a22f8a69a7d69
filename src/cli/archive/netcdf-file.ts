/** A run as a netCDF file that the server makes: written beside its name, and given the name when it is whole. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isObject, parseJson } from '../../core/json.ts'
import { NETCDF } from '../../core/media-types.ts'
import { CliError, refusal } from '../cli-error.ts'
import type { Profile } from '../profile.ts'

/** Attempts in a row that bring nothing, and milliseconds before the second, which grow with each. */
const ATTEMPTS = 6
const PAUSE_MS = 200

interface DownloadOptions {
  readonly profile: Profile
  readonly rid: string
  /** Called as bytes come. */
  readonly tell: (bytes: number) => void
}

export interface Downloaded {
  readonly bytes: number
  /** Times that the connection broke, and the file was gone on with. */
  readonly resumed: number
}

/** The part of a file that is there. */
interface Got {
  /** Path of the server at which these bytes stay as they are; that of the run where they do not. */
  path: string
  etag: string
  bytes: number
  size: number
}

/** @throws CliError when the server refuses, cannot be reached, or the file cannot be written */
export async function downloadNetcdf(path: string, options: DownloadOptions): Promise<Downloaded> {
  const part = `${path}.part`
  const handle = await open(part, 'w').catch((error: unknown) => {
    throw new CliError(`${part} cannot be written (${messageOf(error)})`)
  })
  try {
    const downloaded = await filled(handle, options).finally(() => handle.close())
    await rename(part, path)
    return downloaded
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function filled(handle: FileHandle, options: DownloadOptions): Promise<Downloaded> {
  const got: Got = { path: `/v1/runs/${encodeURIComponent(options.rid)}/data.nc`, etag: '', bytes: 0, size: -1 }
  let resumed = 0
  for (let failed = 0; got.bytes !== got.size; ) {
    const before = got.bytes
    const broken = await moreOf(handle, got, options)
    if (broken === undefined) continue
    failed = got.bytes > before ? 1 : failed + 1
    if (failed === ATTEMPTS) throw refusal(`the file broke off (${broken})`, 'storage_unavailable', undefined)
    if (got.bytes > 0) resumed++
    await sleep(PAUSE_MS * failed)
  }
  await handle.sync()
  return { bytes: got.bytes, resumed }
}

/** Fetches what is missing; tells why when the connection broke. @throws CliError when the server refuses */
async function moreOf(handle: FileHandle, got: Got, { profile, tell }: DownloadOptions): Promise<string | undefined> {
  const headers = {
    Accept: `${NETCDF}, application/json`,
    ...(profile.token !== '' && { Authorization: `Bearer ${profile.token}` }),
    ...(got.bytes > 0 && { Range: `bytes=${got.bytes}-`, 'If-Range': got.etag }),
  }
  try {
    const response = await fetch(profile.url + got.path, { headers })
    if (!response.ok) return await refused(response)
    begin(got, response)
    await handle.truncate(got.bytes)
    for await (const chunk of response.body ?? []) {
      await handle.write(chunk, 0, chunk.length, got.bytes)
      got.bytes += chunk.length
      tell(got.bytes)
    }
    return got.bytes === got.size ? undefined : 'the connection was closed'
  } catch (error) {
    if (error instanceof CliError) throw error
    return messageOf(error)
  }
}

/** A part goes on behind what is there; the whole begins anew. */
function begin(got: Got, { status, headers }: Response): void {
  const length = Number(headers.get('Content-Length') ?? Number.NaN)
  if (status === 206) return
  got.bytes = 0
  got.size = length
  got.etag = headers.get('ETag') ?? ''
  got.path = headers.get('Content-Location') ?? got.path
}

/** The reason of a refusal that may pass. @throws CliError for any other */
async function refused(response: Response): Promise<string> {
  const text = await response.text()
  const problem = text.startsWith('{') ? parseJson(text) : undefined
  const { detail, code } = isObject(problem) ? problem : { detail: undefined, code: undefined }
  const what = typeof detail === 'string' ? detail : `the server answered ${response.status}`
  if (response.status >= 500 || response.status === 429) return what
  const isOld = code === 'not_found'
  if (isOld) throw new CliError('this server is of an older release: it makes no netCDF files')
  throw refusal(what, typeof code === 'string' ? code : undefined, response.headers.get('Retry-After') ?? undefined)
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
