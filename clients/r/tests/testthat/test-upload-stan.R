# A model that rstan compiles and samples here, and the same fit inside of a brmsfit.

# The fit, made once; skips where rstan or a compiler is missing.
stan_fits <- new.env()
stan_fit <- function() {
  skip_on_cran()
  skip_if_not_installed("rstan")
  if (!nzchar(Sys.which("g++"))) skip("no g++ for rstan's models")
  if (is.null(stan_fits$fit)) stan_fits$fit <- sample_stan()
  stan_fits$fit
}

sample_stan <- function() {
  makevars <- tempfile("Makevars")
  writeLines(c("CXXFLAGS=-O0", "CXX14FLAGS=-O0"), makevars)
  before <- Sys.getenv("R_MAKEVARS_USER", NA)
  Sys.setenv(R_MAKEVARS_USER = makevars)
  on.exit(if (is.na(before)) Sys.unsetenv("R_MAKEVARS_USER") else Sys.setenv(R_MAKEVARS_USER = before))
  if (dir.exists("/usr/include/boost")) rstan::rstan_options(boost_lib = "/usr/include", boost_lib2 = "/usr/include")
  code <- "
    parameters { real mu; vector[3] theta; matrix[2, 3] L; vector[2] a[2, 2]; real x[0]; }
    model { mu ~ normal(0, 5); theta ~ normal(mu, 1); to_vector(L) ~ normal(0, 1); for (i in 1:2) for (j in 1:2) a[i, j] ~ normal(0, 1); }
    generated quantities { real z = bernoulli_rng(0.5) == 1 ? not_a_number() : -0.0; }"
  quiet <- function(expr) suppressWarnings(suppressMessages(expr))
  utils::capture.output(fit <- quiet(rstan::sampling(
    rstan::stan_model(model_code = code, model_name = "funnel"), chains = 2, iter = 60, warmup = 30, thin = 2, seed = 42, refresh = 0
  )))
  fit
}

test_that("a fit of rstan is the run, bit by bit", {
  fit <- stan_fit()
  client <- test_client()
  run <- mcb_upload(client, fit, new_rid("stan"), progress = FALSE)
  expect_identical(lapply(run$variables, `[[`, "shape")[c("mu", "theta", "L", "a", "x")],
    list(mu = numeric(), theta = 3, L = c(2, 3), a = c(2, 2, 2), x = 0))
  draws <- as_draws_array(run, inc_warmup = TRUE)
  expected <- rstan::extract(fit, permuted = FALSE, inc_warmup = TRUE)
  expect_setequal(c(posterior::variables(draws), "lp__"), dimnames(expected)[[3]])
  for (name in posterior::variables(draws)) {
    expect_identical(writeBin(as.vector(draws[, , name]), raw()), writeBin(as.vector(expected[, , name]), raw()), info = name)
  }
  behind <- as.array(fit)
  expect_identical(as.vector(unclass(as_draws_array(run, "a"))), as.vector(behind[, , grepl("^a\\[", dimnames(behind)[[3]])]))
  sampler <- rstan::get_sampler_params(fit, inc_warmup = TRUE)
  for (chain in 1:2) {
    for (stat in colnames(sampler[[chain]])) {
      expect_identical(as.double(mcb_stats(run, stat, chain - 1)), as.vector(sampler[[chain]][, stat]), info = stat)
    }
    expect_identical(mcb_stats(run, "lp__", chain - 1), as.vector(expected[, chain, "lp__"]))
    expect_identical(mcb_stats(run, "in_warmup", chain - 1), rep(c(TRUE, FALSE), each = 15))
  }
})

test_that("settings, seeds, step sizes and metrics are told", {
  fit <- stan_fit()
  run <- mcb_upload(test_client(), fit, new_rid("stan"), progress = FALSE)
  expect_identical(run$meta$attributes[c("inference_library", "model", "num_warmup", "thin")],
    list(inference_library = "rstan", model = "funnel", num_warmup = 30, thin = 2))
  about <- mcb_set_about(run)
  info <- rstan::get_adaptation_info(fit)[[2]]
  expect_equal(about$facts$chains$`1`$stepSize, as.double(sub(".*Step size = ([0-9.e+-]+).*", "\\1", info)))
  expect_length(about$facts$chains$`1`$inverseMetric, 18)
  expect_equal(about$facts$chains$`0`$seed, rstan::get_seeds(fit)[1])
  expect_equal(about$facts$expected, list(draws = 15, warmup = 15))
  expect_identical(about$facts$environment$packages$stan, as.character(rstan::stan_version()))
  expect_identical(about$state, "done")
})

test_that("the same fit again is the same run, another one is refused", {
  fit <- stan_fit()
  run <- mcb_upload(test_client(), fit, new_rid("stan"), progress = FALSE)
  mcb_upload(test_client(), fit, run$rid, progress = FALSE)
  expect_identical(mcb_chains(run)$length, c(30, 30))
  fit@sim$samples[[2]]$mu[7] <- 0
  expect_error(mcb_upload(test_client(), fit, run$rid, progress = FALSE), class = "mcb_draw_conflict")
})

test_that("a brmsfit is uploaded with its formula", {
  fit <- stan_fit()
  brms <- structure(list(fit = fit, formula = list(formula = y ~ x), version = list(brms = package_version("2.18.0"))), class = "brmsfit")
  run <- mcb_upload(test_client(), brms, new_rid("brms"), progress = FALSE)
  expect_identical(run$meta$attributes$inference_library, "brms")
  expect_identical(run$meta$attributes$formula, "y ~ x")
  expect_identical(mcb_chains(run)$length, c(30, 30))
  expect_error(mcb_upload(test_client(), structure(list(fit = 1), class = "brmsfit")), class = "mcb_invalid_argument")
})

test_that("adaptation is read out of Stan's comments", {
  dense <- "# Adaptation terminated\n# Step size = 0.5\n# Elements of inverse mass matrix:\n# 1, 0.25\n# 0.25, 2\n"
  expect_equal(lapply(stan_adaptation(dense)$metric, unclass), list(c(1, 0.25), c(0.25, 2)))
  diagonal <- stan_adaptation("# Step size = 1e-05\n# Diagonal elements of inverse mass matrix:\n# 1.5\n")
  expect_identical(diagonal$step_size, 1e-05)
  expect_identical(unclass(diagonal$metric), 1.5)
  expect_identical(stan_adaptation(NULL), list())
})

# A file as CmdStan writes it, of a vector, a matrix and a scalar, with the times that `tail` has.
stan_csv <- function(tail = character()) {
  file <- tempfile(fileext = ".csv")
  writeLines(c(
    "# stan_version_major = 2", "# stan_version_minor = 31", "# model = hand_model", "# method = sample (Default)", "#   sample",
    "#     num_samples = 3", "#     num_warmup = 2", "#     save_warmup = 0 (Default)", "#     thin = 1 (Default)",
    "#     algorithm = hmc (Default)", "#       hmc", "#         engine = nuts (Default)", "#           nuts",
    "#         metric = diag_e (Default)", "# id = 1", "# random", "#   seed = 7",
    "lp__,accept_stat__,stepsize__,treedepth__,n_leapfrog__,divergent__,energy__,theta.1,theta.2,L.1.1,L.2.1,L.1.2,L.2.2,s",
    "# Adaptation terminated", "# Step size = 0.5", "# Diagonal elements of inverse mass matrix:", "# 1, 1, 1, 1, 1, 1, 1",
    vapply(1:3, function(i) paste(c(-i, 0.9, 0.5, 2, 3, 0, 1, i + 0:5 / 10, 9), collapse = ","), ""), tail
  ), file)
  file
}

test_that("a fit that was read from CSV has its variables, not a scalar for each column", {
  skip_if_not_installed("rstan")
  timed <- c("# ", "#  Elapsed Time: 0.5 seconds (Warm-up)", "#                0.25 seconds (Sampling)", "#                0.75 seconds (Total)", "# ")
  fit <- suppressWarnings(rstan::read_stan_csv(stan_csv(timed)))
  run <- mcb_upload(test_client(), fit, new_rid("csv"), progress = FALSE)
  expect_identical(lapply(run$variables, `[[`, "shape"), list(theta = 2, L = c(2, 2), s = numeric()))
  expect_equal(mcb_draws(run, "theta", 0), cbind(1:3, 1:3 + 0.1))
  expect_equal(mcb_draws(run, "L", 0)[1, , ], matrix(1 + 2:5 / 10, 2))
  expect_identical(mcb_set_about(run)$facts$chains$`0`$samplingTime, 0.75)
})

test_that("a chain without times has none, and a dense metric counts with all its numbers", {
  chain <- structure(list(mu = 1), adaptation_info = paste0(
    "# Step size = 0.5\n# Elements of inverse mass matrix:\n", strrep(paste0("# ", paste(rep(1, 200), collapse = ", "), "\n"), 200)
  ))
  facts <- stan_chain_facts(chain, list(seed = "1"), 4)
  expect_named(facts, c("seed", "stepSize"))
  expect_length(stan_chain_facts(chain, list(seed = "1"), 1)$inverseMetric, 0)
  small <- structure(list(mu = 1), adaptation_info = "# Step size = 0.5\n# Elements of inverse mass matrix:\n# 1, 0\n# 0, 1\n")
  expect_length(stan_chain_facts(small, list(seed = "1"), 4)$inverseMetric, 2)
})
