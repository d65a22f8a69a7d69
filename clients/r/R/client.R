# The address of a server, the key for it, and settings of requests.

#' A McBackend Edge server
#'
#' @param url Address of the server, without `/v1`. The default is the environment variable `MCB_URL`, else the
#'   address at which a server starts on this machine.
#' @param token Key, where the server has keys. The default is the environment variable `MCB_TOKEN`; an empty string
#'   sends none. It is never printed.
#' @param retry_limit Seconds behind the first attempt within which another may begin: 0 never retries, `Inf` always.
#'   Requests are tried again when no whole answer came, and on the statuses 408, 429, 502, 503 and 504.
#' @param retry_base Seconds that the first pause has at most; each further one has twice as many. Pauses are drawn
#'   at random from 0 on.
#' @param retry_cap Seconds that any pause has at most, unless the server's `Retry-After` says more.
#' @param timeout Seconds without progress after which an attempt is given up.
#' @param page_size Bytes of draws that one request aims at. Larger answers are read in pages.
#' @return An object of class `mcb_client`. Nothing is sent until it is used.
#' @examples
#' client <- mcb_client("http://127.0.0.1:8787", token = "")
#' client
#' @export
mcb_client <- function(url = Sys.getenv("MCB_URL", "http://127.0.0.1:8787"), token = Sys.getenv("MCB_TOKEN"),
                       retry_limit = 300, retry_base = 0.25, retry_cap = 15, timeout = 120, page_size = 16 * 2^20) {
  if (!is_string(url) || !grepl("^https?://[^/?#]+", url)) {
    fail("invalid_argument", "`url` must be an address such as \"https://draws.example.org\", not ", shown(url))
  }
  if (is.null(token)) token <- ""
  if (!is_string(token) || grepl("[^\\x21-\\x7e]", token, perl = TRUE)) {
    fail("invalid_argument", "`token` must be one string of visible ASCII characters, as keys are")
  }
  options <- list(
    retry_limit = retry_limit, retry_base = retry_base, retry_cap = retry_cap, timeout = timeout, page_size = page_size
  )
  for (name in names(options)) check_amount(options[[name]], name, least = if (name == "page_size") 1 else 0)
  state <- new.env(parent = emptyenv())
  state$token <- token
  state$is_met <- FALSE
  structure(list(url = sub("/+$", "", url), options = options, state = state), class = "mcb_client")
}

#' @export
format.mcb_client <- function(x, ...) {
  paste0("<mcb_client ", x$url, if (nzchar(x$state$token)) ", with a key", ">")
}

#' @export
print.mcb_client <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# The curl handle of a client, whose connection is used again. One that came out of a file is dead, and after a fork the
# connections belong to the parent: both get a new one. It has no options of the request before.
handle_of <- function(client) {
  state <- client$state
  if (!identical(state$pid, Sys.getpid()) || !is_alive(state$handle)) {
    state$handle <- curl::new_handle()
    state$pid <- Sys.getpid()
  }
  state$handle
}

# A child shares the sockets of its parent: on one of them, the answers of both would mix.
is_forked <- function() !identical(loaded$pid, Sys.getpid())

# True for a handle that can be reset, and has been.
is_alive <- function(handle) {
  tryCatch(
    {
      curl::handle_reset(handle)
      TRUE
    },
    error = function(e) FALSE
  )
}

# The process that loaded the package; a child of it that was forked shares its connections and must not use them.
loaded <- new.env(parent = emptyenv())
loaded$pid <- NA_integer_
.onLoad <- function(libname, pkgname) loaded$pid <- Sys.getpid()
