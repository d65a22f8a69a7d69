# A run as it was registered, and its chains.

#' One run
#'
#' @param client A client of [mcb_client()].
#' @param rid Id of the run, such as [mcb_runs()] lists.
#' @return An object of class `mcb_run`: a list of
#'   - `client`, `rid`;
#'   - `registration`: tells this run from another that is registered under its id later. All that is read through this
#'     object is of this registration, or is an error of class `mcb_run_replaced`;
#'   - `variables`, `stats`: lists by name, each with `name`, `dtype`, `shape` (that of one draw; -1 for a dimension
#'     that varies, `NULL` where their number does), `dims`, `is_deterministic`, and `is_rigid`;
#'   - `meta`: coordinates, data and attributes; `raw` is the whole message as bytes.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' run
#' @export
mcb_run <- function(client, rid) {
  check_client(client)
  read <- function(answer) run_of(client, rid, answer$headers[["mcb-registration"]], answer$body)
  request(client, "GET", run_path(check_rid(rid)), accept = PROTOBUF, needs = "mcb-registration", read = read)
}

# The object of a run out of its RunMeta.
run_of <- function(client, rid, registration, bytes) {
  meta <- decode_meta(bytes)
  if (meta$rid != rid) fail("invalid_answer", "it is of the run ", shown(meta$rid), " instead of ", shown(rid))
  structure(list(
    client = client, rid = rid, registration = registration, variables = meta$variables, stats = meta$stats,
    meta = c(meta[c("coords", "data", "attributes")], list(raw = bytes)),
    # The lengths of chains that this handle writes, by number.
    lengths = new.env(parent = emptyenv())
  ), class = "mcb_run")
}

check_client <- function(client) {
  if (inherits(client, "mcb_client")) return(invisible(client))
  fail("invalid_argument", "`client` must be one of mcb_client(), not ", shown(client))
}

check_run <- function(run) {
  if (!inherits(run, "mcb_run")) fail("invalid_argument", "`run` must be one of mcb_run(), not ", shown(run))
}

# A request for what belongs to a run, and to this registration of it.
ask <- function(run, method, path = "", ...) {
  request(run$client, method, run_path(run$rid, path), ..., registration = run$registration)
}

#' Chains of a run
#'
#' @param run A run of [mcb_run()].
#' @return A data frame with a row for each chain, by number: `chain` (numbers from 0, as the server counts), `length`
#'   (draws, those of warmup among them), and `updated_at`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' mcb_chains(mcb_run(client, mcb_runs(client, limit = 1)$rid))
#' @export
mcb_chains <- function(run) {
  check_run(run)
  chains <- ask(run, "GET", "/chains", read = function(answer) members_of(json_of(answer), "chains")$chains)
  data.frame(
    chain = column_of(chains, "chain", 0), length = column_of(chains, "length", 0),
    updated_at = time_of(column_of(chains, "updatedAt", ""))
  )
}

# An object of JSON that has these members.
members_of <- function(value, ...) {
  missing <- setdiff(c(...), names(value))
  if (length(missing)) fail("invalid_answer", "it has no member ", missing[1])
  value
}

# One member of each object in a list, as a vector like `of`; NA where it is null or absent.
column_of <- function(objects, name, of) {
  vapply(objects, function(object) {
    value <- object[[name]]
    if (is.null(value)) of[NA_integer_] else if (is.numeric(of)) as.numeric(value) else value
  }, of)
}

time_of <- function(texts) as.POSIXct(texts, format = "%Y-%m-%dT%H:%M:%OSZ", tz = "UTC")

#' @export
format.mcb_run <- function(x, ...) paste0("<mcb_run ", x$rid, " at ", x$client$url, ">")

#' @export
print.mcb_run <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  print_specs("variable", x$variables)
  print_specs("sampler stat", x$stats)
  cat(tryCatch(chains_line(mcb_chains(hasty(x))), error = function(e) paste("chains unknown:", conditionMessage(e))), "\n", sep = "")
  invisible(x)
}

chains_line <- function(chains) {
  count <- if (nrow(chains) == 1L) "1 chain" else paste(nrow(chains), "chains")
  if (nrow(chains)) paste(count, "of", lengths_of(chains$length), "draws") else "no chains yet"
}

# The run with a client that asks once and does not wait: what is printed holds nobody up.
hasty <- function(run) {
  run$client$options$retry_limit <- 0
  run$client$options$timeout <- min(3, run$client$options$timeout)
  run
}

lengths_of <- function(lengths) {
  span <- unique(range(lengths))
  paste(format(span, big.mark = ",", trim = TRUE), collapse = " to ")
}

print_specs <- function(what, specs, most = 8L) {
  if (!length(specs)) return(invisible())
  cat(length(specs), " ", what, if (length(specs) > 1L) "s", ":\n", sep = "")
  shown <- utils::head(specs, most)
  cat(paste0("  ", vapply(shown, spec_line, "")), sep = "\n")
  if (length(specs) > most) cat("  and ", length(specs) - most, " more\n", sep = "")
}

# "theta[8] float64 (school)"
spec_line <- function(spec) {
  lengths <- ifelse(spec$shape < 0, "?", format(spec$shape, scientific = FALSE, trim = TRUE))
  shape <- if (is.null(spec$shape)) "?" else paste(lengths, collapse = ",")
  paste0(
    spec$name, if (nzchar(shape)) paste0("[", shape, "]"), " ", spec$dtype,
    if (length(spec$dims)) paste0(" (", paste(spec$dims, collapse = ", "), ")")
  )
}

#' Labels and data of a run
#'
#' @param run A run of [mcb_run()].
#' @return `mcb_coords()`: a list of the labels of each dimension, by its name. `mcb_data()`: a list of `observed` and
#'   `constant`, each a list of arrays by name; an array that has names of dimensions carries them as the attribute
#'   `dims`. Arrays that R has no type for are empty lists of class `mcb_unreadable`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' mcb_coords(mcb_run(client, mcb_runs(client, limit = 1)$rid))
#' @export
mcb_coords <- function(run) {
  check_run(run)
  run$meta$coords
}

#' @rdname mcb_coords
#' @export
mcb_data <- function(run) {
  check_run(run)
  arrays <- lapply(run$meta$data, function(variable) {
    value <- variable$value
    if (length(variable$dims)) attr(value, "dims") <- variable$dims
    value
  })
  is_observed <- vapply(run$meta$data, `[[`, NA, "is_observed")
  list(observed = arrays[is_observed], constant = arrays[!is_observed])
}
