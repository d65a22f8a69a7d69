# The package as a whole: its help page, and generics of other packages that it gives on.

#' MCMC draws on a McBackend Edge server, from R
#'
#' [mcb_client()] names a server, [mcb_runs()] lists its runs, and [mcb_run()] opens one. Its draws are read with the
#' generics of the posterior package, such as [posterior::as_draws_array()], and plotted with those of bayesplot.
#' Figures of convergence come from the server: [mcb_summary()] and [mcb_checks()].
#'
#' Errors are conditions of class `mcb_error`, and of a class that has the code of the protocol behind `mcb_`, such as
#' `mcb_run_not_found`. Besides its message, a condition has the members `code`, `status` (0 where no answer came)
#' and `fields`, a list of the members of the answer.
#'
#' @section Functions:
#' - Servers and runs: [mcb_client()], [mcb_runs()], [mcb_run()], [mcb_chains()], [mcb_coords()], [mcb_data()].
#' - Draws: [as_draws_array()][as_draws_array.mcb_run], [as_draws_df()][as_draws_df.mcb_run] and the other formats of
#'   posterior, [mcb_draws()], [mcb_stats()].
#' - Plots of bayesplot: [nuts_params()][nuts_params.mcb_run], [log_posterior()][log_posterior.mcb_run].
#' - Convergence: [mcb_summary()], [mcb_checks()], [mcb_watch()].
#' - Writing: [mcb_init_run()], [mcb_variable()], [mcb_init_chain()], [mcb_append()], [mcb_upload()].
#' - Changes: [mcb_set_about()], [mcb_delete_run()].
#'
#' @section Codes that the client itself gives:
#' - `mcb_transport`: no whole answer came within the time for retries.
#' - `mcb_invalid_answer`: what came is no answer of a McBackend Edge server, or is damaged.
#' - `mcb_invalid_argument`: the call itself is wrong; nothing was sent.
#'
#' @keywords internal
"_PACKAGE"

#' @importFrom posterior as_draws as_draws_array as_draws_df as_draws_list as_draws_matrix as_draws_rvars
#' @export
posterior::as_draws
#' @export
posterior::as_draws_array
#' @export
posterior::as_draws_df
#' @export
posterior::as_draws_list
#' @export
posterior::as_draws_matrix
#' @export
posterior::as_draws_rvars
