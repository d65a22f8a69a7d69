# The draws that are read of each chain, of one moment: a run may grow meanwhile.

# A data frame with a row for each chain that counts: `chain`, `first` (index of the first draw that counts), `draws`.
# Chains are as the server's summaries have them: those without draws, or shorter than half the median, are left out,
# and of the others as many draws are taken as the shortest has. A warning tells both.
moment_of <- function(run, chains = NULL, inc_warmup = FALSE) {
  check_run(run)
  check_flag(inc_warmup, "inc_warmup")
  all <- mcb_chains(run)
  if (!is.null(chains)) {
    unknown <- setdiff(chains, all$chain)
    if (length(unknown)) {
      there <- paste(all$chain, collapse = ", ")
      fail("chain_not_found", "the run has no chain ", shown(unknown[1]), "; it has ", there)
    }
    all <- all[match(unique(chains), all$chain), ]
  }
  first <- if (inc_warmup) rep(0, nrow(all)) else {
    vapply(seq_len(nrow(all)), function(i) warmup_length(run, all$chain[i], all$length[i]), 0)
  }
  moment <- data.frame(chain = all$chain, first = first, draws = all$length - first)
  if (!any(moment$draws > 0)) {
    is_warmup <- any(all$length > 0)
    fail("no_draws", "the run has no draws yet", if (is_warmup) " behind warmup; `inc_warmup = TRUE` reads those")
  }
  if (is.null(chains)) moment <- without_short(moment)
  if (any(moment$draws == 0)) fail("no_draws", "chain ", moment$chain[moment$draws == 0][1], " has no draws yet")
  if (any(moment$draws != min(moment$draws))) {
    warning(
      "chains of ", paste(moment$draws, collapse = ", "), " draws were cut to the shortest, ", min(moment$draws),
      call. = FALSE
    )
    moment$draws <- min(moment$draws)
  }
  moment
}

without_short <- function(moment) {
  is_short <- moment$draws == 0 | 2 * moment$draws < stats::median(moment$draws)
  if (any(is_short)) {
    warning(
      "left out, since they have no draws or less than half the median: ",
      paste0("chain ", moment$chain[is_short], " (", moment$draws[is_short], ")", collapse = ", "),
      "; `chains` names those that count",
      call. = FALSE
    )
  }
  moment[!is_short, ]
}
