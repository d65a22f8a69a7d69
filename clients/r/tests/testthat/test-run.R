# Runs, lists of them, metadata, summaries, checks, and watching.

# A run that NUTS may have made, under PyMC's names: 4 chains of 30 warmup draws and 120 others, which diverge where tau
# is small.
funnel <- function(client, ...) {
  rid <- json_run(client,
    variables = list(
      tau = list(dtype = "float64"), theta = list(dtype = "float64", shape = list(2), dims = list("school"))
    ),
    stats = list(
      tune = list(dtype = "bool"), diverging = list(dtype = "bool"), energy = list(dtype = "float64"),
      depth = list(dtype = "int64"), mean_tree_accept = list(dtype = "float64"), step_size = list(dtype = "float64"),
      tree_size = list(dtype = "float64"), model_logp = list(dtype = "float64"), process_time = list(dtype = "float64")
    ), ...
  )
  for (chain in 0:3) {
    u <- sin(seq_len(150) * 12.9898 + chain) * 43758.5453
    tau <- 0.1 - log(u - floor(u))
    theta <- tau * cos(seq_len(150) + chain)
    json_draws(client, rid, chain, list(tau = as.list(tau), theta = lapply(theta, function(x) list(x, 1 - x))), list(
      tune = as.list(seq_len(150) <= 30), diverging = as.list(tau < 0.3), energy = as.list(tau + 1),
      depth = as.list(rep(3, 150)), mean_tree_accept = as.list(rep(0.8, 150)), step_size = as.list(rep(0.25, 150)),
      tree_size = as.list(rep(7, 150)), model_logp = as.list(-tau), process_time = as.list(rep(0, 150))
    ))
  }
  rid
}

patch_about <- function(client, rid, patch) send_json(client, "PATCH", paste0("/v1/runs/", rid, "/about"), patch)

test_that("a run tells what it has", {
  client <- test_client()
  run <- mcb_run(client, funnel(client))
  expect_identical(names(run$variables), c("tau", "theta"))
  expect_identical(run$variables$theta$dims, "school")
  chains <- mcb_chains(run)
  expect_identical(chains$chain, c(0, 1, 2, 3))
  expect_identical(chains$length, rep(150, 4))
  expect_lt(abs(as.numeric(difftime(Sys.time(), chains$updated_at[1], units = "secs"))), 600)
  shown <- capture.output(print(run))
  expect_match(shown, "theta[2] float64 (school)", fixed = TRUE, all = FALSE)
  expect_match(shown, "4 chains of 150 draws", fixed = TRUE, all = FALSE)
})

test_that("labels and data are R's", {
  client <- test_client()
  text <- function(labels) {
    points <- lapply(labels, function(label) c(utf8ToInt(label), 0)[1:2])
    jsonlite::base64_enc(writeBin(as.integer(unlist(points)), raw(), 4, endian = "little"))
  }
  doubles <- function(x) jsonlite::base64_enc(writeBin(as.double(x), raw(), endian = "little"))
  rid <- json_run(client, list(x = list(dtype = "float64")),
    coordinates = list(
      list(name = "city", values = list(dtype = "<U2", shape = list("2"), data = text(c("\u03bc", "ab"))))
    ),
    data = list(
      list(
        name = "y", value = list(dtype = "float64", shape = c("2", "3"), data = doubles(1:6)), dims = c("a", "b"),
        isObserved = TRUE
      ),
      list(name = "n", value = list(dtype = "float64", data = doubles(7)))
    )
  )
  run <- mcb_run(client, rid)
  expect_identical(mcb_coords(run), list(city = c("\u03bc", "ab")))
  data <- mcb_data(run)
  expect_identical(data$observed$y, structure(rbind(c(1, 2, 3), c(4, 5, 6)), dims = c("a", "b")))
  expect_identical(data$constant, list(n = 7))
})

test_that("lists go over pages, and find", {
  client <- test_client()
  mark <- new_rid("listed")
  rids <- paste0(mark, ".", 1:5)
  for (rid in rids) json_run(client, list(x = list(dtype = "float64")), rid = rid)
  patch_about(client, rids[2], list(tags = list("paper", "two"), name = "Named", archived = TRUE))
  all <- function(...) {
    # Lists may lag behind by 2 s.
    for (i in 1:50) {
      runs <- mcb_runs(client, q = mark, ...)
      if (nrow(runs)) return(runs)
      Sys.sleep(0.1)
    }
    runs
  }
  while (nrow(all(archived = TRUE)) < 1 || nrow(all()) != 4) Sys.sleep(0.1)
  expect_identical(all()$rid, rev(rids[-2]))
  expect_identical(all(archived = NA)$rid, rev(rids))
  expect_identical(all(limit = 2)$rid, rev(rids)[1:2])
  named <- all(archived = TRUE, tag = c("paper", "two"))
  expect_identical(named$name, "Named")
  expect_identical(named$tags[[1]], c("paper", "two"))
  expect_identical(nrow(mcb_runs(client, q = "there is no such run")), 0L)
  expect_identical(nrow(mcb_runs(client, q = mark, since = Sys.time() + 3600)), 0L)
  expect_error(mcb_runs(client, limit = -1), class = "mcb_invalid_argument")
})

test_that("more than a page of runs is listed", {
  client <- test_client()
  mark <- new_rid("many")
  handles <- lapply(1:1005, function(i) {
    handle <- curl::new_handle(customrequest = "PUT", postfields = "{}")
    curl::handle_setopt(handle, customrequest = "PUT")
    curl::handle_setheaders(handle, `Content-Type` = "application/json")
    curl::multi_add(curl::handle_setopt(handle, url = paste0(client$url, "/v1/runs/", mark, ".", i)))
  })
  curl::multi_run()
  for (i in 1:50) if (nrow(runs <- mcb_runs(client, q = mark)) == 1005) break else Sys.sleep(0.1)
  expect_setequal(runs$rid, paste0(mark, ".", 1:1005))
})

test_that("summaries are those of posterior", {
  client <- test_client()
  run <- mcb_run(client, funnel(client))
  summary <- mcb_summary(run)
  expect_true(attr(summary, "complete"))
  expect_identical(summary$variable, c("tau", "theta[1]", "theta[2]"))
  local <- posterior::summarise_draws(as_draws_array(run), "mean", "median", "sd", "rhat", "ess_bulk", "ess_tail")
  for (figure in c("mean", "median", "sd", "rhat")) {
    expect_equal(summary[[figure]], as.numeric(local[[figure]]), tolerance = 1e-10)
  }
  # posterior 1.4 has another truncation of autocovariances than the server's reference, 1.7.
  for (figure in c("ess_bulk", "ess_tail")) {
    expect_equal(summary[[figure]], as.numeric(local[[figure]]), tolerance = 0.05)
  }
  worst <- mcb_summary(run, columns = c("rhat", "mad"), sort = "-rhat", limit = 1)
  expect_identical(names(worst), c("variable", "label", "rhat", "mad"))
  expect_identical(worst$rhat, max(summary$rhat))
  expect_identical(nrow(summary(run, variables = "tau", stats = "energy")), 2L)
  constant <- mcb_summary(run, variables = character(), stats = "step_size", columns = "rhat")
  expect_identical(constant$rhat, NA_real_)
  expect_identical(unname(constant$reasons[[1]]), "constant")
  expect_error(mcb_summary(run, variables = "nu"), class = "mcb_unknown_variable")
})

test_that("checks are findings, and print readably", {
  client <- test_client()
  checks <- mcb_checks(mcb_run(client, funnel(client)))
  expect_identical(checks$check, c("progress", "finite", "stuck", "divergences", "rhat", "ess", "bfmi", "treedepth"))
  expect_identical(attr(checks, "status"), "fail")
  expect_identical(checks$status[checks$check == "divergences"], "fail")
  expect_identical(attr(checks, "draws") + 0, 120)
  worst <- checks$worst[[4]]
  expect_identical(worst[1, c("label", "at")], data.frame(label = "tau", at = "small"))
  shown <- capture.output(print(checks))
  expect_match(shown[1], "fail, 120 draws a chain", fixed = TRUE)
  expect_match(shown, "^fail +divergences +[0-9]+ of 480 draws diverged", all = FALSE)
  expect_lte(max(nchar(shown)), 80)
  expect_output(print(checks[1:2, c("check", "status")]), "progress")
})

test_that("bayesplot has its data frames, under Stan's names", {
  skip_if_not_installed("bayesplot")
  client <- test_client()
  run <- mcb_run(client, funnel(client))
  np <- bayesplot::nuts_params(run)
  expect_identical(names(np), c("Chain", "Iteration", "Parameter", "Value"))
  expect_identical(unname(vapply(np, class, "")), c("integer", "integer", "factor", "numeric"))
  stan <- c("accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__")
  expect_identical(levels(np$Parameter), stan)
  expect_identical(dim(np), c(4L * 6L * 120L, 4L))
  expect_identical(np$Value[np$Chain == 3 & np$Parameter == "divergent__"], mcb_stats(run, "diverging", 2)[31:150] + 0)
  expect_identical(np$Iteration[np$Chain == 4 & np$Parameter == "energy__"], 1:120)
  lp <- bayesplot::log_posterior(run)
  expect_identical(lp$Value, -as.vector(as_draws_array(run, "tau")))
  some <- bayesplot::nuts_params(run, pars = "energy__", inc_warmup = TRUE)
  expect_identical(dim(some), c(600L, 4L))
  expect_error(bayesplot::nuts_params(run, pars = "x"), class = "mcb_unknown_variable")
  draws <- as_draws_array(run)
  for (plot in list(
    bayesplot::mcmc_parcoord(draws, np = np), bayesplot::mcmc_nuts_divergence(np, lp), bayesplot::mcmc_nuts_energy(np),
    bayesplot::mcmc_pairs(draws, pars = c("tau", "theta[1]"), np = np), bayesplot::mcmc_trace(draws, "tau", np = np)
  )) {
    file <- tempfile(fileext = ".png")
    grDevices::png(file)
    suppressMessages(print(plot))
    grDevices::dev.off()
    expect_gt(file.size(file), 3000)
  }
})

test_that("names of stats are found as the server finds them", {
  given <- c("sampler_0__diverging", "is_divergent", "logp", "num_steps", "treedepth__", "step_size_bar", "tune")
  stan <- c("divergent__", "divergent__", "lp__", "n_leapfrog__", "treedepth__", NA, NA)
  expect_identical(vapply(given, stan_name, "", USE.NAMES = FALSE), stan)
  spec <- function(name) list(name = name, dtype = "float64", shape = numeric(), is_rigid = TRUE)
  names <- c("model_logp", "lp", "sampler_1__energy", "energy__")
  run <- list(stats = stats::setNames(lapply(names, spec), names))
  expect_identical(vapply(stan_stats(run), `[[`, "", "name"), c(energy__ = "energy__", lp__ = "lp"))
})

test_that("watching ends when the run is done, falls silent, or is deleted", {
  client <- test_client()
  rid <- funnel(client)
  run <- mcb_run(client, rid)
  patch_about(client, rid, list(facts = list(expected = list(draws = 120, warmup = 30))))
  shown <- capture.output(chains <- mcb_watch(run, interval = 0.05))
  expect_match(shown[length(shown)], "done, 600 of 600 draws in 4 chains", fixed = TRUE)
  expect_identical(attr(chains, "state"), "done")
  patch_about(client, rid, list(facts = list(expected = list(draws = 1000))))
  looks <- 0
  chains <- mcb_watch(run, interval = 0.05, quiet = TRUE, on_look = function(chains) {
    looks <<- looks + 1
    looks < 3
  })
  expect_identical(looks, 3)
  expect_identical(attr(chains, "state"), "live")
  started <- proc.time()[["elapsed"]]
  mcb_watch(run, interval = 0.05, patience = 0.5, quiet = TRUE)
  expect_gte(proc.time()[["elapsed"]] - started, 0.5)
  send_json(client, "DELETE", paste0("/v1/runs/", rid))
  expect_output(chains <- mcb_watch(run), "deleted")
  expect_identical(attr(chains, "state"), "deleted")
})

test_that("a run is printed without its server, and soon", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  run$client <- mcb_client("http://127.0.0.1:1", token = "")
  started <- proc.time()[["elapsed"]]
  expect_output(print(run), "mu float64.*chains unknown: .*cannot be reached")
  expect_lt(proc.time()[["elapsed"]] - started, 5)
})
