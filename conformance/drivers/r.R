# The driver of the R package `mcbackend.edge`, for `npm run conform`: commands a line on standard input, answers a line on
# standard output.
#
# Usage: Rscript conformance/drivers/r.R
#
# The package is the installed one (R_LIBS tells another library). The one of this checkout is installed into a library of
# its own, for as long as the driver runs, where there is none, and where MCB_R_PACKAGE names its folder.

if ("--help" %in% commandArgs(trailingOnly = TRUE)) {
  cat("Usage: Rscript conformance/drivers/r.R\n\nAnswers the commands of conformance/drivers/README.md.\n",
    "MCB_R_PACKAGE=clients/r  takes the package of this folder instead of the installed one\n", sep = "")
  quit(status = 0L)
}

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]))
source_folder <- Sys.getenv("MCB_R_PACKAGE")
if (nzchar(source_folder) || !requireNamespace("mcbackend.edge", quietly = TRUE)) {
  if (!nzchar(source_folder)) source_folder <- file.path(here, "../../clients/r")
  library_folder <- tempfile("library")
  dir.create(library_folder)
  arguments <- c("CMD", "INSTALL", "--no-docs", "--no-byte-compile", "--no-test-load", paste0("--library=", library_folder))
  said <- suppressWarnings(system2(file.path(R.home("bin"), "R"), c(arguments, shQuote(source_folder)), stdout = TRUE, stderr = TRUE))
  if (!is.null(attr(said, "status"))) stop("the package cannot be installed:\n", paste(said, collapse = "\n"))
  .libPaths(c(library_folder, .libPaths()))
}
suppressPackageStartupMessages(library(mcbackend.edge))

LACKS <- list(
  isNew = "handles do not tell whether a call has made them: the answer that tells it may be lost",
  cursor = "mcb_runs() goes through the pages by itself",
  describe = "arrays of R do not tell which of the dtypes they had",
  `bool-bytes` = "logical has no third value",
  dtypes = "arrays of R do not tell a dtype: numbers are taken for any that holds them",
  `huge-dims` = "dimensions of R's arrays are below 2^31",
  kept = "mcb_append() returns when its block is durable, or fails: its caller has the block still",
  nul = "strings of R cannot hold U+0000",
  int64 = "R has no integers of 64 bits: doubles hold those up to 2^53, and all others are refused, or read with a warning"
)

# Base64 on one line: some versions of jsonlite break it.
base64 <- function(bytes) gsub("\n", "", jsonlite::base64_enc(bytes), fixed = TRUE)

# ---- Arrays of the table, with conversions of R alone ----

SIZES <- c(
  bool = 1L, int8 = 1L, uint8 = 1L, int16 = 2L, uint16 = 2L, int32 = 4L, uint32 = 4L, float32 = 4L, int64 = 8L, uint64 = 8L,
  float64 = 8L
)

# Two's complement of bytes, as doubles; exact up to 2^53.
whole_numbers <- function(bytes, size, is_signed) {
  digits <- matrix(as.integer(bytes), size)
  if (is_signed) digits[size, ] <- digits[size, ] - ifelse(digits[size, ] >= 128L, 256L, 0L)
  colSums(digits * 256^(seq_len(size) - 1))
}

whole_bytes <- function(values, size) {
  values <- as.double(values)
  values[is.na(values)] <- -2^31
  digits <- vapply(seq_len(size), function(i) (values %/% 256^(i - 1)) %% 256, values)
  as.raw(t(matrix(digits, length(values))))
}

# float32 by its bits, since conversions of a processor change NaN: its payload is in the upper bits of a double's.
single_numbers <- function(bytes) {
  values <- readBin(bytes, "double", length(bytes) / 4, 4L, endian = "little")
  nan <- which(is.nan(values))
  bits <- matrix(rawToBits(bytes[outer(1:4, 4 * (nan - 1), `+`)]), 32L)
  doubles <- rbind(matrix(raw(29L * length(nan)), 29L), bits[c(1:23, 24, 24, 24, 24:32), , drop = FALSE])
  values[nan] <- readBin(packBits(doubles), "double", length(nan), endian = "little")
  values
}

single_bytes <- function(values) {
  bytes <- writeBin(values, raw(), 4L, endian = "little")
  nan <- which(is.na(values))
  bits <- matrix(rawToBits(writeBin(values[nan], raw(), endian = "little")), 64L)
  bytes[outer(1:4, 4 * (nan - 1), `+`)] <- packBits(bits[c(30:52, 56:64), , drop = FALSE])
  bytes
}

numbers_from <- function(bytes, dtype) {
  switch(dtype,
    float64 = readBin(bytes, "double", length(bytes) / 8, endian = "little"),
    float32 = single_numbers(bytes),
    bool = bytes != as.raw(0),
    whole_numbers(bytes, SIZES[[dtype]], !startsWith(dtype, "u"))
  )
}

bytes_from <- function(values, dtype) {
  switch(dtype,
    float64 = writeBin(as.double(values), raw(), endian = "little"),
    float32 = single_bytes(as.double(values)),
    bool = as.raw(values),
    whole_bytes(values, SIZES[[dtype]])
  )
}

# An array of R out of one of the table. One dimension is told by `dim` as well: without, one element is a scalar.
array_from <- function(wire) {
  shape <- as.double(unlist(wire$shape))
  values <- if (wire$dtype == "str") as.character(unlist(wire$strings)) else numbers_from(jsonlite::base64_dec(wire$data), wire$dtype)
  if (!length(shape)) return(values)
  aperm(array(values, rev(shape)), rev(seq_along(shape)))
}

draws_from <- function(wire) if (is.null(wire$list)) array_from(wire) else lapply(wire$list, array_from)

# One draw as a block of one.
block_of_one <- function(spec, wire) {
  draw <- array_from(wire)
  if (!is.null(spec) && !spec$is_rigid) return(list(draw))
  shape <- as.double(unlist(wire$shape))
  array(draw, c(1, shape))
}

array_to <- function(x, dtype, shape = if (is.null(dim(x))) length(x) else dim(x)) {
  values <- as.vector(if (length(dim(x)) > 1L) aperm(x) else x)
  if (dtype == "str") return(list(dtype = dtype, shape = I(shape), strings = I(enc2utf8(values))))
  list(dtype = dtype, shape = I(shape), data = base64(bytes_from(values, dtype)))
}

draws_to <- function(x, spec) {
  if (!is.list(x)) return(array_to(x, spec$dtype))
  list(list = lapply(x, function(draw) {
    is_scalar <- is.null(spec$shape) && is.null(dim(draw))
    if (is_scalar) array_to(draw, spec$dtype, integer()) else array_to(draw, spec$dtype)
  }))
}

# ---- Commands ----

seconds <- function(name, default) {
  value <- Sys.getenv(name)
  if (nzchar(value)) as.numeric(value) / 1000 else default
}

client <- mcb_client(
  retry_base = seconds("MCB_RETRY_BASE_MS", 0.25), retry_cap = seconds("MCB_RETRY_CAP_MS", 15),
  retry_limit = seconds("MCB_RETRY_LIMIT_MS", 300)
)
runs <- list()
chains <- list()

keep_run <- function(run) {
  runs[[length(runs) + 1L]] <<- run
  list(run = length(runs) - 1L, meta = base64(run$meta$raw), registration = run$registration)
}

keep_chain <- function(run, number) {
  chains[[length(chains) + 1L]] <<- list(run = run, number = number)
  list(chain = length(chains) - 1L, number = number)
}

time_to <- function(time) format(time + 0.0005, "%Y-%m-%dT%H:%M:%OS3Z", tz = "UTC")

open_run <- function(rid) tryCatch(mcb_run(client, rid), mcb_run_not_found = function(e) NULL)

# The value of an integer, however many digits it has; NULL for one that is absent.
bound <- function(text) if (!is.null(text)) as.numeric(text)

slice_to <- function(read, chain, name, specs, command) {
  x <- read(chain$run, name, chain$number, bound(command$start), bound(command$stop), bound(command$step))
  draws_to(x, specs[[name]])
}

# Draws of one iteration, column by column; -1 is the last.
iteration_of <- function(read, chain, specs, command) {
  names <- if (is.null(command$names)) names(specs) else unlist(command$names)
  stop <- if (command$index != -1) command$index + 1
  lapply(stats::setNames(nm = names), function(name) {
    draws <- draws_to(read(chain$run, name, chain$number, command$index, stop), specs[[name]])
    if (!length(draws$list) && draws$shape[1L] != 1) fail("invalid_slice", "the chain has no such iteration")
    if (is.null(draws$list)) draws$shape <- I(draws$shape[-1L]) else draws <- draws$list[[1L]]
    draws
  })
}

COMMANDS <- list(
  hello = function(command) {
    version <- getNamespaceVersion("mcbackend.edge")[[1L]]
    list(protocol = 1L, client = "mcbackend.edge", version = version, language = "R", lacks = LACKS)
  },
  initRun = function(command) keep_run(mcb_init_run(client, meta = jsonlite::base64_dec(command$meta))),
  getRun = function(command) {
    run <- open_run(command$rid)
    if (!is.null(run)) keep_run(run)
  },
  listRuns = function(command) {
    limit <- if (is.null(command$limit)) Inf else command$limit
    found <- mcb_runs(client, q = command$q, tag = unlist(command$tag), limit = limit)
    members <- list(
      rid = found$rid, createdAt = time_to(found$created_at), updatedAt = time_to(found$updated_at), variables = found$variables,
      sampleStats = found$sample_stats, chains = found$chains, draws = found$draws
    )
    list(runs = lapply(seq_len(nrow(found)), function(i) lapply(members, `[[`, i)))
  },
  deleteRun = function(command) {
    run <- open_run(command$rid)
    !is.null(run) && mcb_delete_run(run)
  },
  initChain = function(command) {
    run <- runs[[command$run + 1L]]
    mcb_init_chain(run, command$number, exclusive = isTRUE(command$exclusive))
    keep_chain(run, command$number)
  },
  getChain = function(command) {
    run <- runs[[command$run + 1L]]
    if (command$number %in% mcb_chains(run)$chain) keep_chain(run, command$number)
  },
  getChains = function(command) {
    run <- runs[[command$run + 1L]]
    lapply(mcb_chains(run)$chain, function(number) keep_chain(run, number))
  },
  append = function(command) {
    chain <- chains[[command$chain + 1L]]
    one <- function(specs, arrays) Map(function(name, wire) block_of_one(specs[[name]], wire), names(arrays), arrays)
    mcb_append(chain$run, chain$number, one(chain$run$variables, command$draws), one(chain$run$stats, command$stats))
  },
  appendBatch = function(command) {
    chain <- chains[[command$chain + 1L]]
    mcb_append(chain$run, chain$number, lapply(command$draws, draws_from), lapply(command$stats, draws_from),
      start = bound(command$start), count = command$count
    )
  },
  flush = function(command) NULL,
  length = function(command) {
    chain <- chains[[command$chain + 1L]]
    known <- mcb_chains(chain$run)
    known$length[known$chain == chain$number]
  },
  getDraws = function(command) {
    chain <- chains[[command$chain + 1L]]
    slice_to(mcb_draws, chain, command$name, chain$run$variables, command)
  },
  getStats = function(command) {
    chain <- chains[[command$chain + 1L]]
    slice_to(mcb_stats, chain, command$name, chain$run$stats, command)
  },
  getDrawsAt = function(command) {
    chain <- chains[[command$chain + 1L]]
    iteration_of(mcb_draws, chain, chain$run$variables, command)
  },
  getStatsAt = function(command) {
    chain <- chains[[command$chain + 1L]]
    iteration_of(mcb_stats, chain, chain$run$stats, command)
  }
)

# An error of a command, beside those of the client.
fail <- function(code, ...) {
  stop(structure(class = c("mcb_error", "error", "condition"), list(message = paste0(...), call = NULL, code = code)))
}

failure <- function(error) {
  if (!inherits(error, "mcb_error")) return(list(error = list(code = "driver", detail = conditionMessage(error))))
  length <- error$fields$length
  list(error = c(list(code = error$code, detail = conditionMessage(error)), if (is.numeric(length)) list(length = length)))
}

answer <- function(line) {
  command <- jsonlite::parse_json(line)
  result <- tryCatch(
    {
      run <- COMMANDS[[command$op]]
      if (is.null(run)) fail("not_implemented", "there is no command ", command$op)
      # A draw that was rounded is no answer. Metadata are answered as bytes, whatever R's numbers hold of them.
      list(ok = if (command$op %in% c("initRun", "getRun")) suppressWarnings(run(command)) else run(command))
    },
    mcb_rounded = function(warning) list(error = list(code = "rounded", detail = conditionMessage(warning))),
    error = failure
  )
  jsonlite::toJSON(c(list(id = command$id), result), auto_unbox = TRUE, null = "null", digits = 15L)
}

# Bytes that readLines() marks as UTF-8: a connection that has an encoding converts each character.
input <- file("stdin")
open(input)
while (length(line <- readLines(input, n = 1L, encoding = "UTF-8"))) {
  cat(answer(line), "\n", sep = "")
  flush(stdout())
}
