# Writing: runs that are registered, blocks of draws that are appended exactly once, and what may change of a run.

#' Register a run
#'
#' Registers a run, or opens the one that is registered under `rid` with an equal description: a script that is started
#' again gets its run back. Another description under the same `rid` is the error `mcb_run_conflict`.
#'
#' @param client A server, of [mcb_client()].
#' @param rid Id of the run: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`. The default makes one of the time and of random
#'   digits, and leaves R's random numbers alone.
#' @param variables Quantities that are sampled: a named list with a shape (`list(theta = 8)`), a dtype (`list(k = "int64")`) or
#'   [mcb_variable()] for each variable, or names of scalars: `c("mu", "tau")`. Numbers are `float64` by default.
#' @param sample_stats The same for quantities of the sampler, such as `list(lp__ = "float64", divergent__ = "bool")`. The
#'   stat `in_warmup`, a `bool`, marks warmup, which readers leave out.
#' @param coords Labels of dimensions: `list(school = c("A", "B"))`.
#' @param dims Names of the dimensions of variables and of data: `list(theta = "school", y = "school")`.
#' @param data Arrays that the run was made with: `list(y = c(28, 8), sigma = c(15, 10))`.
#' @param observed Names of those of `data` that the model conditions on; the others are constants.
#' @param attributes All else that describes the run and stays the same when its script is started again: a named list of
#'   text, numbers, flags, times, arrays and lists. The place for all that differs between two starts is [mcb_set_about()].
#' @param meta A RunMeta message as bytes, in place of all the above but `rid`: `run$meta$raw` of a run that is copied, for
#'   instance.
#' @return The run, as [mcb_run()] gives it.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_init_run(client,
#'   variables = list(mu = integer(), theta = 2), sample_stats = list(lp__ = "float64"),
#'   coords = list(school = c("A", "B")), dims = list(theta = "school")
#' )
#' mcb_append(run, 0, list(mu = rnorm(10), theta = matrix(rnorm(20), 10)), list(lp__ = rnorm(10)))
#' mcb_delete_run(run)
#' @export
mcb_init_run <- function(client, rid = NULL, variables = list(), sample_stats = list(), coords = list(), dims = list(),
                         data = list(), observed = character(), attributes = list(), meta = NULL) {
  check_client(client)
  if (!is.null(meta)) return(register(client, rid_of(meta, rid), meta))
  rid <- if (is.null(rid)) new_rid() else check_rid(rid)
  dims <- lapply(check_named(as.list(dims), "dims"), check_names_of, what = "dims")
  data <- check_named(as.list(data), "data")
  variables <- as_variables(variables, "variables", dims)
  sample_stats <- as_variables(sample_stats, "sample_stats", dims)
  check_known(names(dims), c(names(variables), names(sample_stats), names(data)), "dims")
  check_known(observed, names(data), "observed")
  meta <- run_meta(variables, sample_stats, check_named(as.list(coords), "coords"), dims, data, observed,
    check_named(as.list(attributes), "attributes"))
  register(client, rid, meta)
}

# The id of RunMeta that comes as bytes.
rid_of <- function(meta, rid) {
  if (!is.raw(meta)) fail("invalid_argument", "`meta` must be a RunMeta as raw bytes, not ", shown(meta))
  own <- tryCatch(decode_meta(meta)$rid, mcb_invalid_answer = function(e) {
    fail("invalid_argument", "`meta` is no RunMeta: ", conditionMessage(e))
  })
  if (is.null(rid)) rid <- if (nzchar(own)) own else new_rid()
  check_rid(rid)
}

# Registers RunMeta, and opens the run. Its handle is bound to the registration that the server confirmed.
register <- function(client, rid, meta) {
  confirmed <- request(client, "PUT", run_path(rid), body = meta, accept = NULL, needs = "mcb-registration")
  run <- mcb_run(client, rid)
  if (!identical(run$registration, confirmed$headers[["mcb-registration"]])) {
    fail("run_replaced", "the run ", rid, " was deleted and registered again from elsewhere meanwhile", status = 412L)
  }
  run
}

check_known <- function(names, known, what) {
  unknown <- setdiff(names, known)
  if (length(unknown)) fail("invalid_argument", "`", what, "` names ", shown(unknown[1L]), ", which the run does not have")
}

new_rid <- function() {
  digits <- paste(sprintf("%04x", floor(random(4L) * 2^16)), collapse = "")
  paste0("r-", format(Sys.time(), "%Y%m%d-%H%M%S", tz = "UTC"), "-", digits)
}

# ---- Appending ----

#' Append a block of draws to a chain, exactly once
#'
#' @details
#' The handle `run` counts the draws of each chain from the length that the server told when it was first used. A
#' request whose answer was lost is sent again with the same bytes under the same index, and the server takes what it
#' has already for a retry. A block of more than 8 MiB travels in several requests, and in smaller ones where a proxy or the
#' server takes less in one.
#'
#' The count moves on when the whole block is durable, and not before. After an error, call again with the same block:
#' what had arrived is compared, and nothing is doubled. A call with other draws instead is refused as
#' `mcb_draw_conflict` if some of the lost block had arrived.
#'
#' `start` says which iteration the first draw is. It is needed by a script that was ended while it wrote and does not
#' know what has arrived: it sends its block again under its old `start`, or goes on behind [mcb_chains()]'s length.
#'
#' Before a byte is sent, the whole block is checked; a block that is refused for its names, types or dimensions has
#' changed nothing.
#'
#' @section Values:
#' Doubles keep all their bits: `NA`, `NaN` with any payload, and -0 come back as they are. Integers and logicals have no
#' `NA` on the server, and one is an error. Whole numbers beyond 2^53 are refused, unless they are `integer64`.
#' Numbers for `float32` are rounded to it.
#'
#' @param run A run, of [mcb_init_run()] or [mcb_run()].
#' @param chain Number of the chain, from 0. It is made when it is not there.
#' @param draws A named list with the draws of each variable: an array whose first index is the draw, `[n]` for a scalar,
#'   `[n, 2, 3]` for a variable of shape `c(2, 3)`. A variable whose shape varies takes a list with an array for each draw.
#' @param stats The same for sampler stats. One that is left out reads as NaN, 0, `FALSE` or `""`.
#' @param start Index of the first draw of the block, from 0. The default goes on behind all that this handle has written.
#' @param count Number of draws, for runs without variables. Arrays tell it otherwise.
#' @return The length of the chain on the server, invisibly. All of it is durable.
#' @seealso [mcb_upload()] for whole fits.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_init_run(client, variables = list(theta = c(2, 3)), sample_stats = list(in_warmup = "bool"))
#' mcb_append(run, 0, list(theta = array(rnorm(60), c(10, 2, 3))), list(in_warmup = rep(TRUE, 10)))
#' mcb_delete_run(run)
#' @export
mcb_append <- function(run, chain, draws, stats = list(), start = NULL, count = NULL) {
  check_run(run)
  chain <- check_chain(chain)
  if (!is.null(start)) check_index(start, "start")
  if (!is.null(count)) check_index(count, "count")
  block <- check_block(run, draws, stats, count)
  known <- next_index(run, chain)
  if (is.null(start)) start <- known
  length <- send_block(run, chain, block, start)
  set_next_index(run, chain, max(known, start + block$count))
  invisible(length)
}

#' Make a chain, or open it
#'
#' [mcb_append()] does so by itself. Called before, a chain shows up while its first draws are still computed.
#'
#' @inheritParams mcb_append
#' @param exclusive `TRUE` makes it the error `mcb_chain_exists` when the chain is there. When the network fails, that may
#'   be the chain which this very call has made.
#' @return The length of the chain on the server, invisibly.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' run <- mcb_init_run(mcb_client(), variables = "mu")
#' mcb_init_chain(run, 0)
#' mcb_delete_run(run)
#' @export
mcb_init_chain <- function(run, chain, exclusive = FALSE) {
  check_run(run)
  chain <- check_chain(chain)
  check_flag(exclusive, "exclusive")
  length <- request(run$client, "PUT", chain_path(run, chain),
    headers = if (exclusive) c(`If-None-Match` = "*"), registration = run$registration,
    read = function(answer) told_length(answer, chain)
  )
  if (is.null(run$lengths[[key_of(chain)]])) set_next_index(run, chain, length)
  invisible(length)
}

# Sends a checked block in as many requests as it takes. The length of the chain behind it, as the server tells it.
send_block <- function(run, chain, block, start) {
  state <- run$client$state
  most <- min(MOST_BYTES, state$most_bytes)
  ends <- pieces_of(block, run, most)[, 2L]
  from <- 1
  while (from <= block$count) {
    to <- ends[ends >= from][1L]
    length <- tryCatch(send_piece(run, chain, draw_batch(block, run, start + from - 1, from, to), start + to),
      mcb_payload_too_large = function(e) if (to == from) stop(e)
    )
    if (!is.null(length)) {
      from <- to + 1
      next
    }
    # A proxy or a tenant takes less in one request: pieces are halved until this one has fewer draws, also in later blocks.
    while (ends[ends >= from][1L] == to) {
      most <- most / 2
      ends <- pieces_of(block, run, most)[, 2L]
    }
    state$most_bytes <- most
  }
  length
}

# A DrawBatch is acknowledged when the chain reaches to its end.
send_piece <- function(run, chain, bytes, end) {
  request(run$client, "POST", chain_path(run, chain, "/draws"),
    body = bytes, registration = run$registration,
    read = function(answer) {
      length <- told_length(answer, chain)
      if (length < end) fail("invalid_answer", "the chain ends at ", length, ", before the batch at ", end)
      length
    }
  )
}

# The length in an answer, which must be of this chain: an answer to somebody else confirms nothing.
told_length <- function(answer, chain) {
  told <- members_of(json_of(answer), "chain", "length")
  is_number <- function(value) is.numeric(value) && length(value) == 1L
  if (!is_number(told$length)) fail("invalid_answer", "it tells no length")
  if (!is_number(told$chain) || told$chain != chain) {
    fail("invalid_answer", "it is of the chain ", format(told$chain), " instead of ", key_of(chain))
  }
  as.double(told$length)
}

chain_path <- function(run, chain, ...) run_path(run$rid, "/chains/", key_of(chain), ...)

key_of <- function(chain) format(chain, scientific = FALSE)

# The index behind the last draw that this handle knows to be durable, at first the length that the server tells.
next_index <- function(run, chain) {
  if (is.null(run$lengths[[key_of(chain)]])) mcb_init_chain(run, chain)
  run$lengths[[key_of(chain)]]
}

set_next_index <- function(run, chain, index) run$lengths[[key_of(chain)]] <- index

check_chain <- function(chain) {
  check_index(chain, "chain")
  if (chain >= 2^31) fail("invalid_parameter", "`chain` must be below 2^31, not ", shown(chain))
  chain
}

check_index <- function(value, name) {
  if (!is.numeric(value) || length(value) != 1L || is.na(value) || value < 0 || value != trunc(value) || value > 2^53) {
    fail("invalid_parameter", "`", name, "` must be a whole number from 0, not ", shown(value))
  }
}

# ---- Names, notes, facts; deletion ----

#' Name, tag or archive a run, and note facts of it
#'
#' An argument that is left out changes nothing, `NULL` resets what it names.
#'
#' @param run A run.
#' @param name A name for people, of at most 200 characters.
#' @param tags Tags, by which [mcb_runs()] finds runs.
#' @param notes Text of any length up to 64 KiB.
#' @param archived `TRUE` for a run that lists leave out unless they are asked.
#' @param facts A named list of what is known late or differs from start to start: seeds, times, versions. It is merged
#'   with the facts that are there, at any depth. A `difftime` is stored as its seconds.
#' @return The present name, tags, notes and facts, with what else the server tells of the run, as a list, invisibly.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' run <- mcb_init_run(mcb_client(), variables = "mu")
#' mcb_set_about(run, name = "First try", tags = c("draft", "paper"), facts = list(seed = 1))
#' mcb_set_about(run, name = NULL)
#' mcb_delete_run(run)
#' @export
mcb_set_about <- function(run, name, tags, notes, archived, facts) {
  check_run(run)
  patch <- list()
  if (!missing(name)) patch["name"] <- list(name)
  if (!missing(tags)) patch["tags"] <- list(if (!is.null(tags)) I(as.character(tags)))
  if (!missing(notes)) patch["notes"] <- list(if (!is.null(notes)) paste(notes, collapse = "\n"))
  if (!missing(archived)) patch["archived"] <- list(archived)
  if (!missing(facts)) patch["facts"] <- list(if (!is.null(facts)) check_named(facts, "facts"))
  invisible(set_about(run, patch))
}

set_about <- function(run, patch) {
  names(patch) <- names(patch) %or% character()
  request(run$client, "PATCH", run_path(run$rid, "/about"),
    body = json_text(patch), content_type = "application/merge-patch+json", registration = run$registration, read = about_of
  )
}

# Names, notes, facts and state of a run, as its server tells them.
about_of <- function(answer) members_of(json_of(answer), "rid", "state", "facts")

# JSON of lists and vectors.
json_text <- function(value) {
  as.character(jsonlite::toJSON(with_all_digits(value),
    auto_unbox = TRUE, null = "null", na = "null", json_verbatim = TRUE, POSIXt = "ISO8601", UTC = TRUE
  ))
}

# The same value with its doubles as texts of JSON that keep all their bits: jsonlite writes 15 digits, not all 17.
with_all_digits <- function(value) {
  is_boxed <- inherits(value, "AsIs")
  if (is_boxed) class(value) <- setdiff(class(value), "AsIs")
  if (inherits(value, "difftime")) value <- as.double(value, units = "secs")
  if (is.data.frame(value)) {
    value[] <- lapply(value, function(column) if (inherits(column, "difftime")) as.double(column, units = "secs") else column)
    doubles <- vapply(value, function(column) is.double(column) && !is.object(column) && is.null(dim(column)), NA)
    value[doubles] <- lapply(value[doubles], function(column) structure(json_numbers(column), class = "json"))
  } else if (is.list(value) && !is.object(value)) {
    value[] <- lapply(value, with_all_digits)
  } else if (is.double(value) && !is.object(value) && all(dim(value) > 0L)) {
    return(structure(json_array(value, is_boxed), class = "json"))
  }
  if (is_boxed) I(value) else value
}

json_numbers <- function(values) ifelse(is.finite(values), sprintf("%.17g", values), "null")

# One number alone, more as an array; those of a matrix as arrays of its rows, and so for more dimensions.
json_array <- function(values, is_boxed) {
  text <- json_numbers(as.vector(values))
  if (is.null(dim(values)) && length(values) == 1L && !is_boxed) return(text)
  sizes <- if (is.null(dim(values))) length(values) else dim(values)
  for (size in rev(sizes)) {
    text <- if (length(text)) apply(matrix(text, ncol = size), 1L, paste, collapse = ",")
    text <- paste0("[", text, "]")
  }
  text
}

`%or%` <- function(value, otherwise) if (is.null(value)) otherwise else value

#' Delete a run, with all its draws
#'
#' @param run A run. Only the one that this handle has opened is deleted: not one that was registered under its `rid` since.
#' @return `TRUE`, invisibly, when nothing of the run is left; `FALSE` when there was nothing any more.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' run <- mcb_init_run(mcb_client(), variables = "mu")
#' mcb_delete_run(run)
#' @export
mcb_delete_run <- function(run) {
  check_run(run)
  invisible(tryCatch(
    {
      check_registration(run)
      request(run$client, "DELETE", run_path(run$rid), accept = NULL, registration = run$registration, read = function(answer) {
        # A page of a proxy with a status of success has deleted nothing.
        if (answer$status != 204L) fail("invalid_answer", "the status is ", answer$status, " instead of 204")
      })
      TRUE
    },
    mcb_run_not_found = function(e) isTRUE(e$attempt > 1L)
  ))
}

# The run under this rid is the one that the handle has opened: servers do not compare it when they delete.
check_registration <- function(run) {
  if (mcb_run(run$client, run$rid)$registration != run$registration) {
    fail("run_replaced", "the run ", run$rid, " was deleted and registered again since it was opened", status = 412L)
  }
}
