# Fits of rstan, and of brms, which has one inside. Read from the slots that ?stanfit describes: no copy of the draws is
# made, and rstan need not be installed.

# Bytes of JSON that inverse metrics may take in the facts of a run, which a server takes up to 1 MiB of.
MOST_METRIC <- 640 * 2^10

#' @rdname mcb_upload
#' @export
mcb_upload.stanfit <- function(client, fit, rid = NULL, ..., coords = list(), dims = list(), data = list(),
                               observed = character(), attributes = list(), name = NULL, tags = NULL,
                               progress = interactive()) {
  upload(client, stan_source(fit), rid, ...,
    coords = coords, dims = dims, data = data, observed = observed, attributes = attributes, name = name, tags = tags,
    progress = progress
  )
}

#' @rdname mcb_upload
#' @export
mcb_upload.brmsfit <- function(client, fit, rid = NULL, ...) {
  if (!inherits(fit$fit, "stanfit")) {
    fail("invalid_argument", "the brmsfit has no draws of rstan: those of another backend are uploaded by as_draws_array(fit)")
  }
  source <- stan_source(fit$fit)
  source$attributes$inference_library <- "brms"
  source$attributes$formula <- formula_text(fit$formula)
  source$facts$environment$packages$brms <- as.character(fit$version$brms)
  upload(client, source, rid, ...)
}

# A formula of R or brms as text, those of several responses one behind the other.
formula_text <- function(formula) {
  if (inherits(formula, "formula")) return(paste(trimws(deparse(formula, 500L)), collapse = " "))
  if (!is.null(formula$forms)) return(paste(vapply(formula$forms, formula_text, ""), collapse = "; "))
  formula_text(stats::as.formula(formula$formula))
}

stan_source <- function(fit) {
  sim <- fit@sim
  if (!length(sim$samples)) fail("invalid_argument", "the stanfit holds no draws")
  sim$samples <- lapply(sim$samples, with_stan_names, sim$fnames_oi)
  names <- setdiff(names(sim$samples[[1L]]), "lp__")
  arrays <- arrays_of(names)
  empty <- Filter(function(dims) length(dims) && prod(dims) == 0, sim$dims_oi)
  sampler <- lapply(sim$samples, function(chain) as.list(attr(chain, "sampler_params")))
  stats <- c(if ("lp__" %in% names(sim$samples[[1L]])) "lp__", names(sampler[[1L]]))
  dtypes <- vapply(stats, function(name) stat_dtype(name, lapply(sampler, `[[`, name)), "")
  warmup <- if (is.null(sim$warmup2)) rep(0, length(sim$samples)) else sim$warmup2
  list(
    variables = c(lapply(arrays, function(array) mcb_variable(array$shape)), lapply(empty, mcb_variable)),
    stats = c(lapply(dtypes, function(dtype) mcb_variable(dtype = dtype)), list(in_warmup = mcb_variable(dtype = "bool"))),
    attributes = stan_attributes(fit, warmup),
    facts = stan_facts(fit, warmup),
    chains = Map(function(chain, sampler, warmup) {
      list(draws = length(chain[[1L]]), block = function(from, to) {
        rows <- seq.int(from, to)
        list(
          draws = c(
            lapply(arrays, function(array) stan_array(chain, names[array$columns], array$shape, rows)),
            lapply(empty, function(dims) array(numeric(), c(length(rows), dims)))
          ),
          stats = c(stan_stat_columns(chain, sampler, dtypes, rows), list(in_warmup = rows <= warmup))
        )
      })
    }, sim$samples, sampler, warmup, USE.NAMES = FALSE)
  )
}

# The columns of a chain under Stan's names: those that came out of a CSV file are `theta.1`.
with_stan_names <- function(chain, names) {
  if (length(names) == length(chain)) names(chain) <- names
  chain
}

# Draws of a variable as an array [rows, shape]; columns come with the first index fastest, as R's arrays do.
stan_array <- function(chain, columns, shape, rows) {
  values <- lapply(columns, function(name) chain[[name]][rows])
  array(unlist(values, use.names = FALSE), c(length(rows), shape))
}

stan_stat_columns <- function(chain, sampler, dtypes, rows) {
  Map(function(name, dtype) {
    as_dtype((if (name == "lp__") chain[[name]] else sampler[[name]])[rows], dtype)
  }, names(dtypes), dtypes)
}

# Settings that all chains share, and that the same script has again.
stan_attributes <- function(fit, warmup) {
  sim <- fit@sim
  args <- fit@stan_args[[1L]]
  own <- attr(sim$samples[[1L]], "args")
  control <- c(own$control, args$control)
  Filter(length, list(
    inference_library = "rstan", model = fit@model_name, method = args$method, algorithm = args$algorithm,
    num_samples = as_number(sim$iter - sim$warmup), num_warmup = as_number(sim$warmup), thin = as_number(sim$thin),
    save_warmup = if (isTRUE(sim$warmup > 0)) any(warmup > 0), delta = as_number(control$adapt_delta),
    max_depth = as_number(control$max_treedepth), metric = control$metric
  ))
}

# NULL for what is no one number.
as_number <- function(value) if (is.numeric(value) && length(value) == 1L && is.finite(value)) as.double(value)

stan_facts <- function(fit, warmup) {
  chains <- Map(stan_chain_facts, fit@sim$samples, fit@stan_args, length(fit@sim$samples))
  rows <- lengths(lapply(fit@sim$samples, `[[`, 1L))
  packages <- list(stan = stan_version(fit), mcbackend.edge = as.character(utils::packageVersion("mcbackend.edge")))
  list(
    expected = list(draws = max(rows) - max(warmup), warmup = max(warmup)),
    environment = list(packages = Filter(length, packages)),
    chains = stats::setNames(chains, seq_along(chains) - 1L)
  )
}

stan_chain_facts <- function(chain, args, of_chains) {
  adaptation <- stan_adaptation(attr(chain, "adaptation_info"))
  seconds <- attr(chain, "elapsed_time")
  if (sum(lengths(adaptation$metric)) * 24 > MOST_METRIC / of_chains) adaptation$metric <- NULL
  Filter(length, list(
    seed = as_seed(args$seed), stepSize = adaptation$step_size, inverseMetric = adaptation$metric,
    warmupTime = as_number(seconds[["warmup"]]), samplingTime = if (length(seconds)) as_number(sum(seconds))
  ))
}

as_seed <- function(seed) as_number(suppressWarnings(as.double(seed)))

# Step size and inverse metric out of the comments that Stan writes after adaptation: a list of numbers of a diagonal metric,
# a list of rows of a dense one.
stan_adaptation <- function(text) {
  if (!is_string(text)) return(list())
  lines <- sub("^# ?", "", strsplit(text, "\n", fixed = TRUE)[[1L]])
  step <- grep("^Step size *=", lines, value = TRUE)
  head <- grep("lements of inverse mass matrix", lines)
  rows <- if (length(head)) grep("^ *[-0-9.]", lines[-seq_len(head[1L])], value = TRUE)
  rows <- lapply(strsplit(rows %or% character(), ",", fixed = TRUE), as.double)
  list(
    step_size = if (length(step)) as_number(as.double(sub(".*=", "", step[1L]))),
    metric = if (length(rows) == 1L && grepl("^Diagonal", lines[head[1L]])) I(rows[[1L]]) else if (length(rows)) lapply(rows, I)
  )
}

# The version of Stan that made the model, as its C++ code says.
stan_version <- function(fit) {
  code <- tryCatch(fit@stanmodel@model_cpp$model_cppcode, error = function(e) NULL)
  if (!is_string(code)) return(NULL)
  found <- regmatches(code, regexpr("Code generated by Stan version [0-9.]+", code))
  if (length(found)) sub(".* ", "", found)
}
