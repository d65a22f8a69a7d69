/** A sampler that goes on: draw i of the variable x is i, chain after chain. Usage: node writer.mjs URL RID CHAINS. */
const [url = '', rid = '', chains = '1'] = process.argv.slice(2)

console.log(`listening on ${url}`)
for (let start = 0; ; start += 7) {
  for (let chain = 0; chain < Number(chains); chain++) {
    const path = `${url}/v1/runs/${rid}/chains/${chain}`
    if (start === 0) await fetch(path, { method: 'PUT' })
    const body = JSON.stringify({ start, draws: { x: Array.from({ length: 7 }, (_, i) => start + i) } })
    const headers = { 'Content-Type': 'application/json' }
    const answer = await fetch(`${path}/draws`, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(await answer.text())
  }
}
