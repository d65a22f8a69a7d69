/** Figures of the process, under the names that dashboards know. The library's own would watch each garbage collection. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

/** Milliseconds between two looks at the event loop. */
const LOOK_MS = 50

export function addProcessFigures(registry: Registry): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number) => {
    const made: Gauge = new Gauge({ name, help, registers, collect: () => made.set(read()) })
  }
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Seconds of processor time, of all threads',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage()
      cpu.reset()
      cpu.inc((user + system) / 1_000_000)
    },
  })
  const startedAt = Date.now() / 1000 - process.uptime()
  gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970', () => startedAt)
  gauge('process_resident_memory_bytes', 'Memory of the process, with all its threads', () => process.memoryUsage.rss())
  gauge(
    'nodejs_heap_size_used_bytes',
    'Memory of objects of the thread that serves HTTP',
    () => process.memoryUsage().heapUsed,
  )
  const delay = monitorEventLoopDelay({ resolution: LOOK_MS })
  delay.enable()
  gauge(
    'nodejs_eventloop_lag_p99_seconds',
    'Lateness of work that waits for the thread of HTTP, 99 % since the last question',
    () => {
      // It counts from one look to the next, and has none before the first.
      const seconds = Math.max(0, (delay.percentile(99) || 0) / 1e9 - LOOK_MS / 1000)
      delay.reset()
      return seconds
    },
  )
}
