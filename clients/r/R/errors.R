# Errors as conditions, and checks of arguments.

# Raises a condition of the classes mcb_<code> and mcb_error. `fields` are members of the server's answer.
fail <- function(code, ..., status = 0L, fields = list()) {
  stop(problem(code, paste0(...), status, fields))
}

problem <- function(code, message, status = 0L, fields = list()) {
  structure(
    class = c(paste0("mcb_", code), "mcb_error", "error", "condition"),
    list(message = message, call = NULL, code = code, status = status, fields = fields)
  )
}

# A value as a message has it: short, on one line.
shown <- function(value) {
  text <- paste(deparse(value, nlines = 2L, width.cutoff = 60L), collapse = " ")
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}

is_string <- function(value) is.character(value) && length(value) == 1L && !is.na(value)

check_amount <- function(value, name, least = 0) {
  if (!is.numeric(value) || length(value) != 1L || is.na(value) || value < least) {
    fail("invalid_argument", "`", name, "` must be one number of at least ", least, ", not ", shown(value))
  }
  invisible(value)
}

check_flag <- function(value, name) {
  if (!isTRUE(value) && !isFALSE(value)) {
    fail("invalid_argument", "`", name, "` must be TRUE or FALSE, not ", shown(value))
  }
  invisible(value)
}
