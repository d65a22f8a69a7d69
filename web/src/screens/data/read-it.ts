/** Lines that read a run in other languages: each runs as it stands, with the key from the environment. */
import { type PythonRun, pythonRun, pythonText } from '../../run/python-lines.ts'

export interface Lines {
  readonly language: string
  /** A word on what is needed. */
  readonly needs: string
  readonly text: string
}

/** @param variable the one that is read as an example; undefined where the run has none */
export function linesToRead(run: PythonRun, variable: string | undefined): readonly Lines[] {
  return [
    { language: 'Python', needs: 'with the package mcbackend-edge', text: withPackage(run, variable) },
    { language: 'Python, alone', needs: 'with nothing but Python', text: pythonAlone(run, variable) },
    { language: 'R', needs: 'with jsonlite', text: inR(run, variable) },
    { language: 'curl', needs: 'in a shell', text: inShell(run, variable) },
    { language: 'TypeScript', needs: 'with the package mcbackend-edge-client', text: inTypeScript(run, variable) },
  ]
}

function pathOf({ url, rid }: PythonRun): string {
  // An apostrophe is the one character here that would end a text of a shell.
  return `${url}/v1/runs/${encodeURIComponent(rid).replaceAll("'", '%27')}`
}

function queryOf(variable: string | undefined): string {
  return variable === undefined ? '' : `?var=${encodeURIComponent(variable).replaceAll("'", '%27')}`
}

function joined(...lines: readonly (string | readonly string[])[]): string {
  return `${lines.flat().join('\n')}\n`
}

function withPackage(run: PythonRun, variable: string | undefined): string {
  return joined(
    run.access === 'keyed' ? ['import os', ''] : [],
    'from mcbackend_edge import Client',
    '',
    `run = ${pythonRun(run)}`,
    'print(run.checks())',
    'print(run.summary(sort="-rhat", limit=20))',
    variable === undefined ? [] : [`values = run.get_draws(${pythonText(variable)})  # (chain, draw, …)`],
    'dt = run.to_datatree()  # as the sampler would have given it to ArviZ',
  )
}

function pythonAlone(run: PythonRun, variable: string | undefined): string {
  const key = run.access === 'keyed' ? ', "Authorization": f"Bearer {os.environ[\'MCB_TOKEN\']}"' : ''
  return joined(
    'import json',
    run.access === 'keyed' ? ['import os'] : [],
    'from urllib.request import Request, urlopen',
    '',
    `BASE = ${pythonText(pathOf(run))}`,
    `HEADERS = {"Accept": "application/json"${key}}`,
    '',
    '',
    'def get(path):',
    '    with urlopen(Request(BASE + path, headers=HEADERS)) as answer:',
    '        return json.load(answer)',
    '',
    '',
    'print(get("/checks")["status"])',
    'for row in get("/summary?sort=-rhat&limit=20")["rows"]:',
    '    print(row["label"], row["mean"], row["rhat"])',
    `draws = [get(f"/chains/{each['chain']}/draws${queryOf(variable)}")["draws"] for each in get("/chains")["chains"]]`,
  )
}

function inR(run: PythonRun, variable: string | undefined): string {
  const key = run.access === 'keyed' ? ', Authorization = paste("Bearer", Sys.getenv("MCB_TOKEN"))' : ''
  return joined(
    'library(jsonlite)',
    '',
    `base <- ${rText(pathOf(run))}`,
    'open_url <- function(path, type) {',
    `  url(paste0(base, path), headers = c(Accept = type${key}))`,
    '}',
    'get <- function(path) {',
    '  connection <- open_url(path, "application/json")',
    '  on.exit(close(connection))',
    '  fromJSON(paste(readLines(connection, warn = FALSE), collapse = "\\n"))',
    '}',
    '',
    'summary <- read.csv(open_url("/summary?sort=-rhat&limit=20", "text/csv"))',
    'print(summary[, c("label", "mean", "ess_bulk", "rhat")])',
    'print(get("/checks")$checks[, c("check", "status", "message")])',
    `draws <- lapply(get("/chains")$chains$chain, function(chain) get(paste0("/chains/", chain, ${rText(`/draws${queryOf(variable)}`)}))$draws)`,
  )
}

/** A text as a literal of R: as JSON has it, but for null, which R's texts cannot hold, and which no address has. */
function rText(text: string): string {
  return pythonText(text)
}

function inShell(run: PythonRun, variable: string | undefined): string {
  const key = run.access === 'keyed' ? ' -H "Authorization: Bearer $MCB_TOKEN"' : ''
  const path = pathOf(run)
  return joined(
    `curl -sS${key} '${path}/checks'`,
    `curl -sS${key} -H 'Accept: text/csv' '${path}/summary?sort=-rhat&limit=20'`,
    `curl -sS${key} -H 'Accept: application/json' '${path}/chains/0/draws${queryOf(variable) === '' ? '?' : `${queryOf(variable)}&`}start=-5'`,
    `curl -NsS${key} '${path}/events'  # as it grows`,
  )
}

function inTypeScript(run: PythonRun, variable: string | undefined): string {
  const key = run.access === 'keyed' ? ", token: process.env.MCB_TOKEN ?? ''" : ''
  const text = (value: string) => pythonText(value).replaceAll(/\\U([0-9a-f]{8})/g, (_all, code) => `\\u{${code}}`)
  return joined(
    "import { HttpBackend } from 'mcbackend-edge-client'",
    '',
    `const backend = new HttpBackend({ url: ${text(run.url)}${key} })`,
    `const run = await backend.getRun(${text(run.rid)})`,
    "if (run === undefined) throw new Error('there is no such run')",
    'console.log((await run.checks()).status)',
    'for (const { label, figures } of (await run.summary({ sort: "-rhat", limit: 20 })).rows) console.log(label, ...figures)',
    variable === undefined
      ? []
      : [
          `for (const chain of await run.getChains()) console.log(await chain.getDraws(${text(variable)}, { start: -5 }))`,
        ],
  )
}
