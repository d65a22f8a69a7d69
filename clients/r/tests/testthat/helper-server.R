# Servers of this checkout for tests, and a proxy before them that fails. Tests are skipped, and say why, when there is
# none.

# The checkout's root: MCB_CHECKOUT, or a folder around this one; NULL outside of one.
checkout <- function() {
  folder <- Sys.getenv("MCB_CHECKOUT", getwd())
  while (!file.exists(file.path(folder, "src", "node.ts"))) {
    if (dirname(folder) == folder) return(NULL)
    folder <- dirname(folder)
  }
  normalizePath(folder)
}

# The path of a file of the checkout; skips the test outside of one.
in_checkout <- function(...) {
  root <- checkout()
  if (is.null(root)) skip("no checkout of McBackend Edge around this package, and none in MCB_CHECKOUT")
  path <- file.path(root, ...)
  if (!file.exists(path)) skip(paste("the checkout has no", file.path(...)))
  path
}

# Node of the checkout, or of MCB_NODE; skips where there is none.
node <- function() {
  path <- Sys.getenv("MCB_NODE", in_checkout("node_modules", ".bin", "node"))
  if (!file.exists(path)) skip(paste("there is no Node at", path, "(MCB_NODE)"))
  path
}

# Starts a program that tells the address at which it listens, as list(url, pid, log). It ends with this process, or by
# stop_program().
start_program <- function(command, env = character()) {
  log <- tempfile("program", fileext = ".log")
  # `exec` keeps the number of the process that the shell tells.
  line <- paste0(
    if (length(env)) paste0(names(env), "=", shQuote(env), collapse = " "), " sh -c 'echo $$; exec \"$0\" \"$@\"' ",
    paste(shQuote(command), collapse = " "), " > ", shQuote(log), " 2>&1 < /dev/null &"
  )
  system(line)
  program <- new.env()
  program$log <- log
  for (wait in 1:600) {
    lines <- if (file.exists(log)) readLines(log, warn = FALSE)
    found <- regmatches(lines, regexpr("listening on http://[^ ]+", lines))
    has_ended <- length(lines) && is.na(suppressWarnings(tools::psnice(as.integer(lines[1]))))
    if (length(found) || has_ended) break
    Sys.sleep(0.1)
  }
  program$pid <- as.integer(lines[1])
  reg.finalizer(program, stop_program, onexit = TRUE)
  if (!length(found)) stop("the program did not start:\n", paste(lines, collapse = "\n"))
  program$url <- sub("listening on ", "", found[1])
  program
}

stop_program <- function(program, signal = tools::SIGTERM) {
  if (!is.na(program$pid)) tools::pskill(program$pid, signal)
  program$pid <- NA_integer_
}

start_server <- function(port = 0, data = tempfile("data")) {
  dir.create(data, showWarnings = FALSE)
  entry <- in_checkout("src", "node.ts")
  server <- start_program(c(node(), entry), env = c(PORT = port, MCB_DATA_DIR = data, MCB_LOG = "quiet"))
  server$data <- data
  server
}

# The server that all tests of this process share.
servers <- new.env()
server_url <- function() {
  if (is.null(servers$shared)) servers$shared <- start_server()
  servers$shared$url
}

# A client of the shared server; `...` are settings of mcb_client().
test_client <- function(...) mcb_client(server_url(), token = "", ...)

# A proxy before a server; see proxy.mjs. `faults` are what it does to the first requests, or to a share of all.
start_proxy <- function(faults, url = server_url()) {
  start_program(c(node(), normalizePath(test_path("proxy.mjs")), url, paste(faults, collapse = ",")))
}

# A client behind such a proxy, which does not wait long.
faulty_client <- function(faults, ..., url = server_url()) {
  proxy <- start_proxy(faults, url)
  client <- mcb_client(proxy$url, token = "", retry_base = 0.01, retry_cap = 0.1, ...)
  client$state$proxy <- proxy
  client
}

# Ids that no other test has.
new_rid <- function(name = "run") {
  servers$count <- c(servers$count, 0)
  paste0("r-", name, "-", Sys.getpid(), "-", length(servers$count))
}

# A request with a body in JSON, past the functions that are tested.
send_json <- function(client, method, path, body = NULL) {
  handle <- curl::new_handle(customrequest = method)
  text <- if (is.null(body)) "" else as.character(jsonlite::toJSON(body, auto_unbox = TRUE, digits = NA))
  bytes <- charToRaw(enc2utf8(text))
  curl::handle_setopt(handle, copypostfields = bytes, postfieldsize = length(bytes))
  curl::handle_setopt(handle, customrequest = method)
  curl::handle_setheaders(handle, `Content-Type` = "application/json")
  answer <- curl::curl_fetch_memory(paste0(client$url, path), handle)
  if (answer$status_code >= 300) stop(method, " ", path, ": ", rawToChar(answer$content))
  invisible(answer)
}

# Registers a run with variables and stats: list(name = list(dtype =, shape =)), and gives its id.
json_run <- function(client, variables, stats = list(), ..., rid = new_rid()) {
  specs <- function(list) unname(Map(function(name, spec) c(list(name = name), spec), names(list), list))
  body <- c(list(variables = specs(variables), sampleStats = specs(stats)), list(...))
  send_json(client, "PUT", paste0("/v1/runs/", rid), Filter(length, body))
  rid
}

# Appends draws, a list of one value for each draw, by name.
json_draws <- function(client, rid, chain, draws, stats = NULL, start = 0) {
  path <- paste0("/v1/runs/", rid, "/chains/", chain)
  send_json(client, "PUT", path)
  body <- list(start = start, draws = draws, stats = stats)
  send_json(client, "POST", paste0(path, "/draws"), Filter(length, body))
}
