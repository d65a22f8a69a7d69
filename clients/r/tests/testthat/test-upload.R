# Fits as runs: draws in every format of posterior and coda, and a real fit of rstan.

test_that("arrays are made of names, and what leaves holes stays scalars", {
  made <- arrays_of(c("mu", "L[1,1]", "L[2,1]", "L[1,2]", "L[2,2]", "v[2]", "v[1]", "h[1]", "h[3]", "r[a,b]", "z", "z[1]", "m[1,1]", "m[2]"))
  expect_named(made, c("mu", "L", "v", "h[1]", "h[3]", "r[a,b]", "z", "z[1]", "m[1,1]", "m[2]"))
  expect_identical(made$L, list(shape = c(2, 2), columns = 2:5))
  expect_identical(made$v, list(shape = 2, columns = c(7L, 6L)))
  expect_identical(made$`h[3]`, list(shape = integer(), columns = 9L))
  expect_identical(arrays_of(c("x[1,2]", "x[1,1]"))$x, list(shape = c(1, 2), columns = 2:1))
  labelled <- c("r_g[a,Intercept]", "r_g[b,Intercept]", "r_g[1,Intercept]")
  expect_identical(arrays_of(labelled), stats::setNames(lapply(1:3, function(i) list(shape = integer(), columns = i)), labelled))
  expect_error(arrays_of(c("a", "a")), class = "mcb_invalid_argument")
})

test_that("draws of every format become the same run", {
  client <- test_client()
  draws <- posterior::example_draws("multi_normal")
  formats <- list(
    draws, posterior::as_draws_df(draws), posterior::as_draws_matrix(draws), posterior::as_draws_list(draws),
    posterior::as_draws_rvars(draws), unclass(draws), as.data.frame(posterior::as_draws_df(draws))
  )
  run <- mcb_upload(client, draws, new_rid(), progress = FALSE)
  for (format in formats) {
    again <- mcb_upload(client, format, run$rid, progress = FALSE)
    expect_identical(again$registration, run$registration)
  }
  expect_identical(run$variables$Sigma$shape, c(3, 3))
  expect_identical(mcb_chains(run)$length, rep(100, 4))
  read <- as_draws_array(run)
  expect_identical(posterior::variables(read), posterior::variables(draws))
  expect_identical(as.vector(unclass(read)), as.vector(unclass(draws)))
})

test_that("stats, warmup, flags and whole numbers have their places", {
  client <- test_client()
  draws <- posterior::as_draws_array(array(rnorm(120), c(20, 2, 3), list(NULL, NULL, c("a[1]", "a[2]", "lp__"))))
  stats <- array(c(rep(0:1, 20), rep(3, 40), rnorm(40)), c(20, 2, 3), list(NULL, NULL, c("divergent__", "treedepth__", "stepsize__")))
  run <- mcb_upload(client, draws, new_rid(), stats = posterior::as_draws_df(stats), warmup = 5, name = "n", tags = "t",
    attributes = list(model = "m"), coords = list(k = c("x", "y")), dims = list(a = "k"), progress = FALSE)
  expect_identical(vapply(run$stats, `[[`, "", "dtype"), c(lp__ = "float64", divergent__ = "bool", treedepth__ = "int64", stepsize__ = "float64", in_warmup = "bool"))
  expect_identical(mcb_stats(run, "in_warmup", 1), rep(c(TRUE, FALSE), c(5, 15)))
  expect_identical(mcb_stats(run, "divergent__", 0), rep(c(FALSE, TRUE), 10))
  expect_identical(mcb_stats(run, "lp__", 1), as.vector(unclass(draws)[, 2, "lp__"]))
  expect_identical(dim(as_draws_array(run)), c(15L, 2L, 2L))
  expect_identical(mcb_runs(client, q = run$rid)$name, "n")
  expect_error(mcb_upload(client, draws, new_rid(), stats = stats[1:3, , ], progress = FALSE), class = "mcb_shape_mismatch")
  expect_error(mcb_upload(client, draws, new_rid(), warmup = 21, progress = FALSE), class = "mcb_invalid_argument")
})

test_that("random variables keep their type and their shape", {
  x <- posterior::draws_rvars(
    k = posterior::rvar(array(1:24, c(12, 2)), nchains = 3), b = posterior::rvar(rep(c(TRUE, FALSE, TRUE), 4), nchains = 3),
    m = posterior::rvar(array(rnorm(72), c(12, 2, 3)), nchains = 3)
  )
  run <- mcb_upload(test_client(), x, new_rid(), progress = FALSE)
  expect_identical(vapply(run$variables, `[[`, "", "dtype"), c(k = "int32", b = "bool", m = "float64"))
  expect_identical(mcb_draws(run, "k", 2), cbind(9:12, 21:24))
  expect_identical(mcb_draws(run, "b", 0), c(TRUE, FALSE, TRUE, TRUE))
  expect_identical(mcb_draws(run, "m", 1), unname(posterior::draws_of(x$m)[5:8, , ]))
})

test_that("draws of coda are uploaded", {
  skip_if_not_installed("coda")
  chains <- lapply(1:2, function(i) coda::mcmc(matrix(rnorm(20), 10, dimnames = list(NULL, c("a", "b")))))
  run <- mcb_upload(test_client(), do.call(coda::mcmc.list, chains), new_rid(), progress = FALSE)
  expect_identical(mcb_draws(run, "b", 1), as.vector(chains[[2]][, "b"]))
  expect_identical(mcb_draws(mcb_upload(test_client(), chains[[1]], new_rid(), progress = FALSE), "a", 0), as.vector(chains[[1]][, "a"]))
})

test_that("another fit, and what is none, is refused", {
  client <- test_client()
  draws <- posterior::example_draws("eight_schools")
  run <- mcb_upload(client, draws, new_rid(), progress = FALSE)
  other <- draws
  other[50, 2, "mu"] <- 0
  expect_error(mcb_upload(client, other, run$rid, progress = FALSE), "another fit", class = "mcb_draw_conflict")
  expect_error(mcb_upload(client, draws[1:50, , ], run$rid, progress = FALSE), "another fit", class = "mcb_draw_conflict")
  expect_error(mcb_upload(client, draws[, , "mu"], run$rid, progress = FALSE), "another fit", class = "mcb_run_conflict")
  expect_error(mcb_upload(client, list(1), progress = FALSE), class = "mcb_invalid_argument")
  expect_error(mcb_upload(client, data.frame(a = "x"), progress = FALSE), class = "mcb_invalid_argument")
})

test_that("an upload that was interrupted goes on, and a network that fails doubles nothing", {
  draws <- posterior::example_draws("eight_schools")
  rid <- new_rid()
  # Registration, run, first chain: its draws, then silence.
  broken <- faulty_client(c("", "", "", "", "cut", rep("refuse", 50)), retry_limit = 0)
  expect_message(expect_error(mcb_upload(broken, draws, rid, progress = FALSE), class = "mcb_transport"), rid)
  expect_lt(sum(mcb_chains(mcb_run(test_client(), rid))$length), 400)
  run <- mcb_upload(faulty_client(0.3), draws, rid, progress = FALSE)
  expect_identical(as.vector(unclass(as_draws_array(mcb_run(test_client(), rid)))), as.vector(unclass(draws)))
})

test_that("a bar and the run's address are shown", {
  shown <- capture.output(type = "message", run <- mcb_upload(test_client(), posterior::example_draws("eight_schools"), new_rid(), progress = TRUE))
  expect_match(paste(shown, collapse = ""), paste0("100%.*", run$rid, ".*4 chains of 100 draws"))
})
