# Python's slices of a chain, as absolute indices: a chain that grows meanwhile must not move what is read.

# list(first, count, step) of the slice start:stop:step of `length` iterations; NULL stands for what is left out.
slice_of <- function(length, start = NULL, stop = NULL, step = NULL) {
  step <- if (is.null(step)) 1 else whole_number(step, "step")
  if (step == 0) fail("invalid_slice", "`step` must not be 0")
  least <- if (step > 0) 0 else -1
  most <- if (step > 0) length else length - 1
  place <- function(index, name, default) {
    if (is.null(index)) return(default)
    index <- whole_number(index, name)
    min(max(if (index < 0) index + length else index, least), most)
  }
  start <- place(start, "start", if (step > 0) least else most)
  stop <- place(stop, "stop", if (step > 0) most else least)
  count <- max(0, ceiling((stop - start) / step))
  list(first = if (count > 0) start else 0, count = count, step = step)
}

whole_number <- function(value, name) {
  is_whole <- is.numeric(value) && length(value) == 1L && !is.na(value) && (is.infinite(value) || value == trunc(value))
  if (!is_whole) fail("invalid_slice", "`", name, "` must be one whole number, not ", shown(value))
  value
}

# The query of `count` iterations of a slice, from its iteration `at` (0 is the first).
slice_query <- function(slice, at, count) {
  start <- slice$first + at * slice$step
  stop <- start + count * slice$step
  # Before the first iteration there is no index, and a negative one would count from the end.
  list(start = start, stop = if (stop >= 0) stop, step = if (slice$step != 1) slice$step)
}
