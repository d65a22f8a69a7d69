/** The page's files on Cloudflare, which sends them by itself: the Worker is asked for its deep links, and what is missing. */
import { digestETag } from '../http/negotiate.ts'
import { mediaTypeOf, type PageFile, type PageFiles } from '../http/page-files.ts'
import { PAGE_PLACE } from '../http/page-headers.ts'

/** The binding of wrangler.toml's [assets]. */
export interface AssetFiles {
  fetch(url: string): Promise<{ readonly status: number; arrayBuffer(): Promise<ArrayBuffer> }>
}

const INDEX = 'index.html'

export function pageOf(assets: AssetFiles): PageFiles {
  let index: PageFile | undefined
  return async (name) => {
    // All other files are sent before the Worker is asked.
    if (name !== INDEX) return undefined
    index ??= await read(assets)
    return index
  }
}

async function read(assets: AssetFiles): Promise<PageFile | undefined> {
  const answer = await assets.fetch(`https://page.invalid${PAGE_PLACE}`)
  const body = new Uint8Array(await answer.arrayBuffer())
  if (answer.status !== 200) return undefined
  const etag = await digestETag([new TextDecoder().decode(body)])
  return { type: mediaTypeOf(INDEX), digest: etag.slice(1, -1), body, coded: new Map() }
}
