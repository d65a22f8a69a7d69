# A DrawBatch as it comes from the server: columns of variables and sampler stats.

# list(start, count, step, draws, stats); the last two are lists of columns by name, each list(name, dtype, values,
# shapes). `values` are the elements of all draws in C order; `shapes` is NULL for a rigid column, else one vector for
# each draw.
decode_batch <- function(x) {
  open <- rawConnection(x)
  on.exit(close(open))
  fields <- fields_of(x)
  count <- last_number(fields, 2) %% 2^32
  step <- last_number(fields, 5, zigzag)
  read <- function(x, from, to) decode_column(x, from, to, count, open)
  columns <- lapply(c(draws = 3, stats = 4), function(n) {
    found <- all_messages(fields, n, x, read)
    stats::setNames(found, vapply(found, `[[`, "", "name"))
  })
  list(
    start = last_number(fields, 1), count = count, step = if (step == 0) 1 else step, draws = columns$draws,
    stats = columns$stats
  )
}

decode_column <- function(x, from, to, count, open) {
  fields <- fields_of(x, from, to)
  name <- last_text(fields, 1, x)
  dtype <- last_text(fields, 2, x)
  data <- last_bytes(fields, 3)
  shapes <- all_numbers(fields, 4, x) %% 2^32
  values <- if (dtype %in% names(SIZES)) {
    numbers_of(x, data[1], data[2], dtype, open = open)
  } else {
    tryCatch(all_texts(fields, 5, x), mcb_unsupported_value = function(e) {
      fail("unsupported_value", "`", name, "` holds a string with U+0000, which R cannot hold")
    })
  }
  column <- list(name = name, dtype = dtype, values = values, shapes = NULL)
  if (length(shapes)) column$shapes <- split_shapes(shapes, count, length(values), name)
  column
}

# A vector of dimensions for each draw, out of "number of dimensions, dimensions" draw after draw.
split_shapes <- function(shapes, count, elements, name) {
  if (length(shapes) < count) damaged("the shapes of `", name, "` are cut off")
  out <- vector("list", count)
  at <- 1
  for (i in seq_len(count)) {
    behind <- at + shapes[at]
    if (is.na(behind) || behind > length(shapes)) damaged("the shapes of `", name, "` are cut off")
    out[[i]] <- shapes[seq.int(at + 1, length.out = shapes[at])]
    at <- behind + 1
  }
  if (at != length(shapes) + 1) damaged("`", name, "` has shapes of more draws than there are")
  if (sum(vapply(out, prod, 0)) != elements) damaged("`", name, "` has other elements than its shapes say")
  out
}

# The columns of a batch that were asked for, after a check that they are whole. `specs` are those of the run.
check_batch <- function(batch, specs, field, width = NULL) {
  columns <- batch[[field]][names(specs)]
  for (name in names(specs)) {
    column <- columns[[name]]
    spec <- specs[[name]]
    if (is.null(column) || column$dtype != spec$dtype) {
      fail("invalid_answer", "the column `", name, "` is not there as ", spec$dtype)
    }
    if (!spec$is_rigid) {
      if (length(column$shapes) != batch$count) fail("invalid_answer", "`", name, "` lacks the shapes of its draws")
      next
    }
    each <- if (is.null(width)) prod(spec$shape) else width
    if (!is.null(column$shapes) || length(column$values) != each * batch$count) {
      fail("invalid_answer", "`", name, "` has another number of elements than its shape says")
    }
  }
  columns
}
