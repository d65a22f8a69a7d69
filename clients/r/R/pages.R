# Draws of one chain in pages, so that neither an answer nor what is made of it takes more memory than a page.

# Calls on_page(columns, at) for each page of a slice: `at` is the number of iterations before it, and `columns` are
# list(draws, stats, count). `variables` and `stats` are specs by name; `elements` are indices, in C order, of the only
# one of them, or NULL.
read_pages <- function(run, chain, slice, variables = list(), stats = list(), elements = NULL, on_page) {
  at <- 0
  size <- draw_size(c(variables, stats), elements)
  page <- run$client$options$page_size
  # One iteration tells the size of others, where no shape does.
  rows <- if (is.na(size)) 1 else max(1, floor(page / max(1, size)))
  while (at < slice$count) {
    rows <- min(rows, slice$count - at)
    columns <- tryCatch(read_page(run, chain, slice, at, rows, variables, stats, elements),
      mcb_payload_too_large = function(e) if (rows == 1) stop(e)
    )
    if (is.null(columns)) {
      rows <- ceiling(rows / 4)
      next
    }
    on_page(columns, at)
    at <- at + rows
    if (is.na(size)) rows <- max(1, floor(min(8 * rows, rows * page / max(1, columns$bytes))))
  }
}

# Bytes of one draw of all columns; NA where they differ.
draw_size <- function(specs, elements) {
  sizes <- vapply(specs, function(spec) {
    if (!spec$is_rigid || spec$dtype == "str") return(NA_real_)
    SIZES[[spec$dtype]] * if (is.null(elements)) prod(spec$shape) else length(elements)
  }, 0)
  sum(sizes)
}

read_page <- function(run, chain, slice, at, rows, variables, stats, elements) {
  asked <- slice_query(slice, at, rows)
  query <- c(
    list(var = names(variables), stat = names(stats), elem = if (!is.null(elements)) elem_query(elements)), asked
  )
  path <- paste0("/chains/", in_query(chain), "/draws")
  ask(run, "GET", path, query = query, accept = PROTOBUF, read = function(answer) {
    batch <- decode_batch(answer$body)
    if (batch$count != rows) fail("invalid_answer", "it has ", batch$count, " draws instead of ", rows)
    if (batch$start != asked$start) fail("invalid_answer", "it begins at ", batch$start, " instead of ", asked$start)
    list(
      draws = check_batch(batch, variables, "draws", width = if (!is.null(elements)) length(elements)),
      stats = check_batch(batch, stats, "stats", width = if (!is.null(elements)) length(elements)),
      count = batch$count, bytes = length(answer$body)
    )
  })
}

# "0,3,10:20": indices with ranges for those that follow one another.
elem_query <- function(elements) {
  ends <- which(c(diff(elements) != 1, TRUE))
  starts <- c(1L, ends[-length(ends)] + 1L)
  first <- in_query(elements[starts])
  paste(ifelse(starts == ends, first, paste0(first, ":", in_query(elements[ends] + 1))), collapse = ",")
}
