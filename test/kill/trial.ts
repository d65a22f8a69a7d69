/** Killing a server over and over while clients write, and looking at what it has kept. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Deleter } from './deleter.ts'
import { countKeys, rowsLeft } from './remains.ts'
import { isOnWorkerd, Target, type TargetName } from './target.ts'
import { clientOf, listFaults, Writer } from './writer.ts'

export interface TrialOptions {
  readonly target: TargetName
  /** Times that the server is killed. */
  readonly rounds: number
  /** Seconds of writing without a kill, after the last round, or more while a chain has no draw. */
  readonly seconds: number
  readonly runs: number
  readonly chains: number
  readonly say?: (line: string) => void
}

export interface TrialResult {
  readonly kills: number
  readonly draws: number
  /** Times that a run was deleted and begun again. */
  readonly deletions: number
  /** Draws that were acknowledged in the time of each kill and restart; many zeros mean that little was risked. */
  readonly writtenByRound: readonly number[]
  /** A sentence for each thing that is not as it must be; empty when all is well. */
  readonly faults: readonly string[]
}

/** Milliseconds that the server lives before it is killed: from its start-up to a while of writing. */
const LIFE_MS = { least: 20, most: 1500 }
/** Milliseconds after the last round within which each chain has a draw: storage that starts anew may take as long. */
const FIRST_DRAW_MS = 60_000
/** Milliseconds that the list of runs may take to agree with the chains. */
const LAG_MS = 15_000
/** Milliseconds until an object of a deleted run has told the catalogue twice and is empty, and until it must be. */
const EMPTY_MS = { soonest: 40_000, latest: 160_000 }

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export async function trial({ target: name, rounds, seconds, runs, chains, say = () => {} }: TrialOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'mcbackend-kill-'))
  const target = await Target.start(name, folder)
  let over = false
  try {
    const writers = Array.from(
      { length: runs * chains },
      (_, i) => new Writer(target.url, i % runs, Math.floor(i / runs)),
    )
    const sum = () => writers.reduce((n, { acknowledged }) => n + acknowledged, 0)
    const deleter = new Deleter(target.url)
    const writing = Promise.all([...writers, deleter].map((each) => each.write(2 * writers.length, () => over)))
    const failed = writing.then(() => {})
    const writtenByRound: number[] = []
    for (let round = 0; round < rounds; round++) {
      const before = sum()
      await Promise.race([failed, pause(LIFE_MS.least + Math.random() * (LIFE_MS.most - LIFE_MS.least))])
      await target.kill()
      await target.start()
      writtenByRound.push(sum() - before)
      say(`kill ${round + 1} of ${rounds}: ${sum()} draws acknowledged`)
    }
    for (let second = 0; second < seconds; second += 5) {
      await Promise.race([failed, pause(Math.min(5, seconds - second) * 1000)])
      say(`${Math.min(seconds, second + 5)} of ${seconds} s: ${sum()} draws acknowledged`)
    }
    const silent = () => writers.filter(({ acknowledged }) => acknowledged === 0).length
    for (const end = Date.now() + FIRST_DRAW_MS; silent() > 0 && Date.now() < end; ) {
      await Promise.race([failed, pause(100)])
    }
    const unwritten = silent()
    over = true
    await writing
    say('looking at what is there')
    const faults = await allFaults(target.url, writers, runs)
    const again = await deleter.fault()
    if (again !== undefined) faults.push(again)
    if (isOnWorkerd(name)) faults.push(...(await remainsFaults(target, folder, name === 'bucket')))
    if (unwritten > 0) faults.push(`${unwritten} chains had no draw ${FIRST_DRAW_MS / 1000} s after the last kill`)
    const result: TrialResult = { kills: rounds, draws: sum(), deletions: deleter.deletions, writtenByRound, faults }
    return result
  } finally {
    over = true
    await target.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function allFaults(url: string, writers: readonly Writer[], runs: number): Promise<string[]> {
  const faults: string[] = []
  for (const writer of writers) {
    const fault = await writer.fault(url)
    if (fault !== undefined) faults.push(fault)
  }
  let listed = await listFaults(url, writers, runs)
  for (const end = Date.now() + LAG_MS; listed.length > 0 && Date.now() < end; ) {
    await pause(500)
    listed = await listFaults(url, writers, runs)
  }
  await clientOf(url).deleteRun('kill-0')
  if ((await clientOf(url).getRun('kill-0')) !== undefined) faults.push('a deleted run is still there')
  return [...faults, ...listed]
}

/** Kills the server, and looks at its disk before and after all of its runs are deleted. */
async function remainsFaults(target: Target, folder: string, moves: boolean): Promise<string[]> {
  await target.kill()
  const faults = moves && countKeys(folder) === 0 ? ['no draws have moved to the bucket'] : []
  await target.start()
  await deleteAll(target.url)
  let left = new Map<string, number>()
  for (const end = Date.now() + EMPTY_MS.latest; ; ) {
    await pause(EMPTY_MS.soonest)
    await target.kill()
    left = rowsLeft(folder)
    if (left.size === 0 || Date.now() > end) break
    await target.start()
  }
  for (const [where, rows] of left) faults.push(`${rows} rows are left in ${where}`)
  return faults
}

/** Deletes what is listed; what is still listed after a while has rows, which are found. */
async function deleteAll(url: string): Promise<void> {
  const client = clientOf(url)
  for (const end = Date.now() + LAG_MS; Date.now() < end; await pause(500)) {
    const { runs } = await client.listRuns({ limit: 1000, archived: 'any' })
    if (runs.length === 0) return
    for (const { rid } of runs) await client.deleteRun(rid)
  }
}
