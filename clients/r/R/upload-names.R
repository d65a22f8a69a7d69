# Arrays out of the names of their elements: theta[1,2] is an element of theta.

# Variables that names of scalars make up, as a list by variable: list(shape, columns), the places of its elements among
# the names, the first index fastest. Names whose indices leave holes, or are no numbers, stay scalars of their own.
arrays_of <- function(names) {
  twice <- names[duplicated(names)]
  if (length(twice)) fail("invalid_argument", "the fit has the variable ", shown(twice[1L]), " twice")
  base <- sub("\\[[0-9]+(,[0-9]+)*\\]$", "", names)
  is_alone <- base == names | base == "" | base %in% names
  group <- ifelse(is_alone, names, base)
  out <- list()
  for (name in unique(group)) {
    at <- which(group == name)
    made <- if (!is_alone[at[1L]]) array_of(at, substring(names[at], nchar(name) + 2L, nchar(names[at]) - 1L))
    if (!is.null(made)) out[[name]] <- made
    else for (i in at) out[[names[i]]] <- list(shape = integer(), columns = i)
  }
  out
}

# The array of elements at these places, whose indices are texts such as "1,2"; NULL where they make up none.
array_of <- function(at, indices) {
  indices <- strsplit(indices, ",", fixed = TRUE)
  rank <- unique(lengths(indices))
  if (length(rank) > 1L) return(NULL)
  index <- matrix(as.double(unlist(indices)), nrow = rank)
  shape <- apply(index, 1L, max)
  if (any(index < 1) || prod(shape) != length(at)) return(NULL)
  place <- colSums((index - 1) * cumprod(c(1, shape[-rank]))) + 1
  if (anyDuplicated(place)) return(NULL)
  list(shape = shape, columns = at[order(place)])
}

# Sampler stats of Stan that are no doubles.
STAN_DTYPES <- c(divergent__ = "bool", treedepth__ = "int64", n_leapfrog__ = "int64")

# The dtype of a stat by Stan's name for it. `columns` are its values chain by chain: some that the dtype cannot hold make
# it float64.
stat_dtype <- function(name, columns) {
  dtype <- if (name %in% names(STAN_DTYPES)) STAN_DTYPES[[name]] else "float64"
  holds <- switch(dtype,
    bool = function(x) all(x %in% c(0, 1)),
    int64 = function(x) !anyNA(x) && all(x == trunc(x) & abs(x) <= 2^53),
    float64 = function(x) TRUE
  )
  if (all(vapply(columns, holds, NA))) dtype else "float64"
}

# Values of a stat as its dtype has them.
as_dtype <- function(x, dtype) if (dtype == "bool") x != 0 else as.double(x)

# Names with two underscores at their end belong to the sampler, as in Stan.
is_stat_name <- function(names) endsWith(names, "__")
