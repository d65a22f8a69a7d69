// The page with the client: its bundle, as vite makes it, and the server of its files.
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { gzipSync } from 'node:zlib'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript' }

/**
 * Bundles a page for production. Gives the bytes of its scripts, gzipped: of those that the page loads at once, and of the others, which
 * a part of the client loads when it needs them.
 */
export async function bundle(root, outDir) {
  const { build } = await import('vite')
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, modulePreload: false },
  })
  const folder = join(outDir, 'assets')
  const texts = new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith('.js'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
  const first = new Set(namesIn(readFileSync(join(outDir, 'index.html'), 'utf8'), /src="[^"]*\/([^"/]+\.js)"/g))
  for (const name of first) {
    for (const more of namesIn(texts.get(name), /\b(?:from|import)\s*"\.\/([^"]+\.js)"/g)) first.add(more)
  }
  const sizeOf = (names) => names.reduce((sum, name) => sum + gzipSync(texts.get(name), { level: 9 }).length, 0)
  return { first: sizeOf([...first]), later: sizeOf([...texts.keys()].filter((name) => !first.has(name))) }
}

function namesIn(text, pattern) {
  return [...text.matchAll(pattern)].map(([, name]) => name)
}

/** Serves a folder on a free port of this machine, as a page that may run its own scripts and no `eval`. */
export async function serveFolder(folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const file = join(folder, normalize(pathname === '/' ? 'index.html' : pathname))
    if (!file.startsWith(folder) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': "script-src 'self'",
    })
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
