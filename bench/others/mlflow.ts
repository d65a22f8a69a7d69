/** MLflow's tracking server with its SQLite store: the numbers of a batch as metrics, by as many `log_batch` as they need. */
import { join } from 'node:path'
import { BATCH_BYTES, CLIENTS, type Contestant } from './contestant.ts'
import { freePort, programAt, startProgram } from './programs.ts'

const INSTALL =
  'install it (python3 -m venv /tmp/mlflow && /tmp/mlflow/bin/pip install mlflow, then MCB_MLFLOW=/tmp/mlflow/bin/mlflow)'
/** Metrics that MLflow takes in one `log_batch` at most. */
const MOST_METRICS = 1000
/** Doubles of a batch. */
const NUMBERS = BATCH_BYTES / 8
/** Names of metrics, each of which has one number a step. */
const NAMES = 16

export async function openMlflow(folder: string): Promise<Contestant> {
  const path = programAt('mlflow', 'MCB_MLFLOW', INSTALL)
  const port = await freePort()
  const options = [
    '--backend-store-uri',
    `sqlite:///${join(folder, 'mlflow.db')}`,
    '--no-serve-artifacts',
    '--workers',
    '1',
  ]
  const server = await startProgram(path, ['server', '--host', '127.0.0.1', '--port', `${port}`, ...options], {
    port,
    cwd: folder,
    env: { MLFLOW_DISABLE_TELEMETRY: 'true', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' },
  })
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => ({ run: await createRun(server.url), step: 0 })),
  )
  return {
    async batch(at) {
      const client = clients[at]
      if (client === undefined) return
      const metrics = metricsFrom(client.step)
      client.step += NUMBERS / NAMES
      for (let sent = 0; sent < metrics.length; sent += MOST_METRICS) {
        const part = metrics.slice(sent, sent + MOST_METRICS)
        await post(server.url, 'runs/log-batch', { run_id: client.run, metrics: part })
      }
    },
    /** SQLite without a write-ahead log leaves nothing for later. */
    settle: async () => {},
  }
}

function metricsFrom(step: number): object[] {
  const timestamp = Date.now()
  return Array.from({ length: NUMBERS }, (_, i) => ({
    key: `x${i % NAMES}`,
    value: Math.random() - 0.5,
    timestamp,
    step: step + Math.floor(i / NAMES),
  }))
}

async function createRun(url: URL): Promise<string> {
  const text = await post(url, 'runs/create', { experiment_id: '0', start_time: Date.now() })
  const run = /"run_id": *"(\w+)"/.exec(text)?.[1]
  if (run === undefined) throw new Error(`MLflow made no run: ${text}`)
  return run
}

/** A call of the API, by `fetch`: MLflow closes connections that wait for their turn, and one more does not matter to it. */
async function post(url: URL, call: string, message: object): Promise<string> {
  const headers = { 'Content-Type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify(message) }
  const answer = await fetch(new URL(`/api/2.0/mlflow/${call}`, url), init)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`MLflow answered ${call} with ${answer.status}: ${text}`)
  return text
}
