# One request as often as it takes: attempts, pauses between them, and errors.

JSON <- "application/json"
PROTOBUF <- "application/x-protobuf"

# Statuses of failures that may pass. All requests of this client can be repeated without harm.
TRANSIENT <- c(408L, 429L, 502L, 503L, 504L)

# Seconds of failures after which a message tells that somebody waits.
QUIET <- 2

# Seconds for which a server that never answered may answer with what is no answer of ours: the address may be wrong.
FIRST_CONTACT <- 10

# Sends a request until it has a final answer, and gives that as list(status, headers, body), the body raw, names of
# headers in lower case.
#
# path: below the server's address, encoded. query: list(name = values), NULL values left out; encoded here.
# body: raw, or one string. accept: the type that the answer must have; NULL where it has no body.
# registration: sent as Mcb-Registration. needs: names of headers without which an answer is none of this server.
# read: makes the result out of the answer; where it fails, the answer was damaged, and is asked for again.
request <- function(client, method, path, query = NULL, body = NULL, content_type = PROTOBUF, accept = JSON,
                    registration = NULL, headers = NULL, needs = character(), read = identity) {
  url <- paste0(client$url, path, query_string(query))
  headers <- c(
    headers,
    if (!is.null(accept)) c(Accept = accept),
    if (!is.null(body)) c(`Content-Type` = content_type),
    if (!is.null(registration)) c(`Mcb-Registration` = registration)
  )
  what <- paste(method, path)
  started <- now()
  attempt <- 0L
  told <- FALSE
  repeat {
    attempt <- attempt + 1L
    outcome <- judge(exchange(client, method, url, body, headers), client, what, accept, needs, read)
    if (is.null(outcome$failure)) {
      if (told) message(client$url, " answers again")
      return(outcome$value)
    }
    if (!outcome$transient) {
      # A deletion that finds nothing at its second attempt was done by the first one.
      outcome$failure$attempt <- attempt
      stop(outcome$failure)
    }
    pause <- pause_after(attempt, outcome, client, now() - started)
    if (is.na(pause)) stop(gave_up(outcome$failure, attempt, now() - started))
    if (!told && now() - started + pause > QUIET) {
      told <- TRUE
      message(conditionMessage(outcome$failure), "; tried again for up to ", format(client$options$retry_limit), " s")
    }
    Sys.sleep(pause)
  }
}

now <- function() proc.time()[["elapsed"]]

# Seconds until the attempt after `attempt`; NA when the time for retries is over.
pause_after <- function(attempt, outcome, client, elapsed) {
  options <- client$options
  limit <- options$retry_limit
  if (isTRUE(outcome$foreign) && !client$state$is_met) limit <- min(limit, FIRST_CONTACT)
  left <- limit - elapsed
  asked <- max(0, outcome$retry_after)
  if (left <= 0 || asked > left) return(NA_real_)
  jittered <- random(1L) * min(options$retry_cap, options$retry_base * 2^(min(attempt, 60L) - 1L))
  min(left, max(asked, jittered))
}

gave_up <- function(failure, attempt, elapsed) {
  if (attempt > 1L) {
    failure$message <- sprintf("%s (%d attempts in %.0f s)", failure$message, attempt, elapsed)
  }
  failure
}

# One attempt: list(status, headers, body), or the error of curl. Interrupts of the user go through.
exchange <- function(client, method, url, body, headers) {
  handle <- handle_of(client)
  timeout <- ceiling(min(client$options$timeout, 86400))
  if (is.character(body)) body <- charToRaw(enc2utf8(body))
  has_body <- !is.null(body) || method != "GET"
  # In one call, since each goes through the names of all options that curl has.
  curl::handle_setopt(handle,
    nosignal = TRUE, followlocation = FALSE, connecttimeout = min(timeout, 30),
    # On a kept connection curl repeats a request by itself, and nobody learns that a deletion was done by the first one.
    fresh_connect = method == "DELETE" || is_forked(),
    # A child adds nothing to the connections that it has from its parent, so that curl never makes room among them.
    forbid_reuse = is_forked(), low_speed_limit = 1, low_speed_time = max(1, timeout), useragent = user_agent(),
    .list = c(
      if (has_body) list(post = TRUE, postfieldsize_large = length(body), copypostfields = as.raw(body)),
      # Behind the body, which makes it a POST.
      list(customrequest = method)
    )
  )
  token <- client$state$token
  all <- c(headers, Expect = "", if (nzchar(token)) c(Authorization = paste("Bearer", token)))
  curl::handle_setheaders(handle, .list = as.list(all))
  answer <- tryCatch(curl::curl_fetch_memory(url, handle), error = identity)
  if (!inherits(answer, "error")) {
    return(list(status = answer$status_code, headers = headers_of(answer$headers), body = answer$content))
  }
  # curl has taken the interrupt and made an error of it.
  if (grepl("aborted by an application callback", conditionMessage(answer), fixed = TRUE)) interrupt()
  answer
}

interrupt <- function() {
  signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  invokeRestart("abort")
}

user_agent <- function() paste0("mcbackend.edge-r/", getNamespaceVersion("mcbackend.edge"))

# The outcome of an attempt: list(value), or list(failure, transient, retry_after, foreign).
judge <- function(answer, client, what, accept, needs, read) {
  failed <- function(failure, transient = FALSE, retry_after = 0, foreign = FALSE) {
    list(failure = failure, transient = transient, retry_after = retry_after, foreign = foreign)
  }
  if (inherits(answer, "error")) {
    told <- paste0(client$url, " cannot be reached: ", sub("\\.?\\s*$", "", conditionMessage(answer)))
    return(failed(problem("transport", told), transient = TRUE))
  }
  status <- answer$status
  type <- type_of(answer)
  if (status >= 300L) {
    is_ours <- type == "application/problem+json"
    client$state$is_met <- client$state$is_met || is_ours
    if (status == 404L && !is_ours) return(failed(not_ours(answer, client, what), TRUE, foreign = TRUE))
    return(failed(refusal(answer, client, what), status %in% TRANSIENT, retry_after_of(answer)))
  }
  # Answers without a body have no type: every one of this server has an X-Request-Id.
  is_foreign <- if (is.null(accept)) length(answer$body) > 0L else type != accept
  needs <- c(needs, if (is.null(accept)) "x-request-id")
  if (is_foreign || !all(needs %in% names(answer$headers))) {
    return(failed(not_ours(answer, client, what), TRUE, foreign = TRUE))
  }
  value <- tryCatch(list(value = read(answer)), mcb_invalid_answer = identity)
  if (inherits(value, "error")) {
    value$message <- paste0("the answer to ", what, " is damaged: ", value$message)
    return(failed(value, transient = TRUE))
  }
  client$state$is_met <- TRUE
  value
}

# The error of an answer with a status of 300 or more, as the server told it, or by its status where a proxy answered.
refusal <- function(answer, client, what) {
  told <- tryCatch(json_of(answer), error = function(e) NULL)
  status <- answer$status
  if (is.list(told) && is_string(told$code) && is_string(told$detail)) {
    return(problem(told$code, told$detail, status, told))
  }
  if (status < 400L) {
    to <- answer$headers$location
    return(problem("invalid_answer", paste0(
      what, " was answered with ", status, if (!is.null(to)) paste0(", a redirection to ", shown(to)),
      "; is ", client$url, " the address of the server?"
    ), status))
  }
  problem(code_of(status), paste(what, "was answered with", status, "by a proxy or another server"), status)
}

# Codes of answers by their status alone, for those of proxies.
code_of <- function(status) {
  switch(as.character(status),
    `400` = "invalid_parameter", `401` = "unauthorized", `403` = "forbidden", `405` = "method_not_allowed",
    `406` = "not_acceptable", `413` = , `414` = "payload_too_large", `415` = "unsupported_media_type",
    `421` = "misdirected_request", `429` = "rate_limited", `408` = , `502` = , `503` = ,
    `504` = "storage_unavailable", "internal_error"
  )
}

not_ours <- function(answer, client, what) {
  type <- type_of(answer)
  problem("invalid_answer", paste0(
    what, " was answered with ", answer$status, " and ", if (nzchar(type)) type else "no type",
    ", which is no answer of a McBackend Edge server; is ", client$url, " its address, or does a proxy answer?"
  ), answer$status)
}

# ---- Parts of requests and answers ----

# "?a=1&a=2&b=x" of list(a = 1:2, b = "x"); "" of nothing.
query_string <- function(query) {
  query <- Filter(length, query)
  if (!length(query)) return("")
  pairs <- Map(function(name, values) paste0(name, "=", curl::curl_escape(in_query(values))), names(query), query)
  paste0("?", paste(unlist(pairs), collapse = "&"))
}

# Whole numbers with all their digits, never as 1e+05; flags in lower case.
in_query <- function(values) {
  if (is.logical(values)) return(ifelse(values, "true", "false"))
  if (!is.numeric(values)) return(enc2utf8(as.character(values)))
  ifelse(values == trunc(values), sprintf("%.0f", values), decimal(values))
}

# Numbers with as few digits as tell them from all others, whatever the options OutDec and scipen say.
decimal <- function(values) {
  text <- sprintf("%.15g", values)
  for (format in c("%.16g", "%.17g")) {
    differs <- which(is.finite(values) & as.double(text) != values)
    text[differs] <- sprintf(format, values[differs])
  }
  text
}

# Headers of the last answer on a connection, by lower-case names.
headers_of <- function(raw) {
  lines <- curl::parse_headers(raw, multiple = TRUE)
  lines <- if (length(lines)) lines[[length(lines)]][-1L] else character()
  at <- regexpr(":", lines, fixed = TRUE)
  lines <- lines[at > 0L]
  at <- at[at > 0L]
  stats::setNames(as.list(trimws(substring(lines, at + 1L))), tolower(substr(lines, 1L, at - 1L)))
}

type_of <- function(answer) {
  type <- answer$headers[["content-type"]]
  if (is.null(type)) "" else tolower(trimws(sub(";.*", "", type)))
}

# `Retry-After` in seconds from now: a number of seconds, or a date of HTTP; 0 without one.
retry_after_of <- function(answer) {
  value <- answer$headers[["retry-after"]]
  if (is.null(value)) return(0)
  if (grepl("^[0-9]+$", value)) return(as.numeric(value))
  at <- tryCatch(curl::parse_date(value), error = function(e) NA)
  if (is.na(at)) 0 else max(0, as.numeric(difftime(at, Sys.time(), units = "secs")))
}

# The body of an answer as lists; objects keep the order of their members.
json_of <- function(answer) {
  text <- tryCatch(
    {
      text <- rawToChar(answer$body)
      Encoding(text) <- "UTF-8"
      text
    },
    error = function(e) fail("invalid_answer", "the body holds NUL")
  )
  tryCatch(jsonlite::parse_json(text), error = function(e) fail("invalid_answer", "the body is no JSON"))
}

# "/v1/runs/<rid>", and what lies below it.
run_path <- function(rid, ...) paste0("/v1/runs/", rid, ...)

# A rid as it may stand in a path: one of another form would be a request for something else.
check_rid <- function(rid) {
  # One class of characters for Perl's engine: R's own takes milliseconds to compile one that is repeated 128 times.
  is_well <- is_string(rid) && nchar(rid, "bytes") %in% 1:128 && !grepl("[^A-Za-z0-9._~-]", rid, perl = TRUE, useBytes = TRUE)
  if (!is_well || rid %in% c(".", "..")) {
    fail("invalid_parameter", "`rid` must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, not ", shown(rid))
  }
  rid
}
