# Variables that somebody picks, by name ("theta") or element by element ("theta[1,2]"), as parts of requests.

# Bytes of names in one query at most: servers and proxies limit the length of an address.
MOST_QUERY <- 4000

# Elements that one request names: the protocol allows 10,000, but they must fit into a query.
MOST_ELEMENTS <- 500

# Variables that posterior's formats can hold.
is_numeric_rigid <- function(spec) spec$is_rigid && spec$dtype %in% names(SIZES)

# The parts of a run that `variables` pick: each list(spec, elements, names), where `elements` are indices in C order,
# or NULL for the whole variable, and `names` are those of posterior in the order of the columns.
select_parts <- function(run, variables = NULL) {
  if (is.null(variables)) {
    fit <- vapply(run$variables, is_numeric_rigid, NA)
    if (any(!fit)) {
      message(
        "left out, since draws of posterior are numbers of fixed shape: ", paste(names(fit)[!fit], collapse = ", "),
        "; mcb_draws() reads them"
      )
    }
    if (!any(fit)) fail("no_draws", "the run has no variable of numbers of fixed shape; mcb_draws() reads all others")
    return(lapply(run$variables[fit], whole_part))
  }
  if (!is.character(variables) || anyNA(variables)) {
    fail("invalid_argument", "`variables` must be names of variables or of elements, not ", shown(variables))
  }
  parts <- list()
  for (name in unique(enc2utf8(variables))) {
    part <- part_called(run, name)
    last <- length(parts)
    before <- if (last) parts[[last]]
    if (!is.null(part$elements) && !is.null(before$elements) && identical(before$spec, part$spec)) {
      parts[[last]]$elements <- c(parts[[last]]$elements, part$elements)
      parts[[last]]$names <- c(parts[[last]]$names, part$names)
    } else {
      parts[[last + 1L]] <- part
    }
  }
  without_doubles(parts)
}

whole_part <- function(spec) list(spec = spec, elements = NULL, names = element_names(spec))

part_called <- function(run, name) {
  spec <- run$variables[[name]]
  if (!is.null(spec)) {
    check_numeric_rigid(spec)
    return(whole_part(spec))
  }
  split <- regmatches(name, regexec("^(.*)\\[([0-9]+(?:, ?[0-9]+)*)\\]$", name, perl = TRUE))[[1]]
  spec <- if (length(split)) run$variables[[split[2]]]
  if (is.null(spec)) unknown_variable(name, names(run$variables))
  check_numeric_rigid(spec)
  index <- as.numeric(strsplit(split[3], ",", fixed = TRUE)[[1]])
  if (length(index) != length(spec$shape) || any(index < 1 | index > spec$shape)) {
    fail("unknown_variable", "`", name, "` is no element of `", spec$name, "`, whose shape is ", shape_text(spec))
  }
  # C order: the last index is the fastest.
  strides <- rev(cumprod(c(1, rev(spec$shape[-1]))))
  list(spec = spec, elements = sum((index - 1) * strides), names = element_name(spec$name, index))
}

check_numeric_rigid <- function(spec) {
  if (is_numeric_rigid(spec)) return(invisible())
  why <- if (spec$is_rigid) paste("is of dtype", spec$dtype) else "has another shape in each draw"
  fail("invalid_argument", "`", spec$name, "` ", why, ", which draws of posterior cannot have; mcb_draws() reads it")
}

unknown_variable <- function(name, known, what = "variable") {
  fail(
    "unknown_variable", "the run has no ", what, " ", shown(name), "; it has ",
    if (length(known)) paste(c(utils::head(known, 20L), if (length(known) > 20L) "..."), collapse = ", ") else "none"
  )
}

shape_text <- function(spec) element_name("", spec$shape)

# Names such as "theta[2,1]", the first index fastest; that of a scalar is the variable's.
element_names <- function(spec) {
  if (!length(spec$shape)) return(spec$name)
  if (prod(spec$shape) == 0) return(character())
  index <- do.call(expand.grid, lapply(spec$shape, seq_len))
  paste0(spec$name, "[", do.call(paste, c(unname(as.list(index)), sep = ",")), "]")
}

element_name <- function(name, index) {
  paste0(name, "[", paste(format(index, scientific = FALSE, trim = TRUE), collapse = ","), "]")
}

# Parts in which each name is once, the first time that it was asked for.
without_doubles <- function(parts) {
  seen <- character()
  for (i in seq_along(parts)) {
    part <- parts[[i]]
    keep <- !part$names %in% seen
    seen <- c(seen, part$names)
    if (all(keep)) next
    elements <- if (is.null(part$elements)) column_order(part$spec) else part$elements
    parts[[i]] <- list(spec = part$spec, elements = elements[keep], names = part$names[keep])
  }
  Filter(function(part) length(part$names) > 0L, parts)
}

# For each element in R's order, its index in C order.
column_order <- function(spec) {
  shape <- spec$shape
  if (length(shape) < 2L) return(seq_len(prod(shape)) - 1)
  as.vector(aperm(array(seq_len(prod(shape)) - 1, rev(shape)), rev(seq_along(shape))))
}

# Groups of parts for one request each, list(parts, columns, elements): whole variables together, as far as their names
# have room in a query, and elements of one variable. `columns` are the places in the result.
group_parts <- function(parts) {
  widths <- vapply(parts, function(part) length(part$names), 0L)
  ends <- cumsum(widths)
  groups <- list()
  room <- 0
  for (i in seq_along(parts)) {
    part <- parts[[i]]
    part$columns <- seq.int(ends[i] - widths[i] + 1L, length.out = widths[i])
    if (is.null(part$elements)) {
      need <- nchar(curl::curl_escape(part$spec$name)) + 5
      if (need > room || !length(groups)) {
        groups[[length(groups) + 1L]] <- list()
        room <- MOST_QUERY
      }
      groups[[length(groups)]] <- c(groups[[length(groups)]], list(part))
      room <- room - need
      next
    }
    for (from in seq.int(1, length(part$elements), by = MOST_ELEMENTS)) {
      chosen <- from:min(length(part$elements), from + MOST_ELEMENTS - 1)
      groups[[length(groups) + 1L]] <- list(list(
        spec = part$spec, elements = part$elements[chosen], columns = part$columns[chosen]
      ))
    }
    room <- 0
  }
  groups
}
