/// @file
/// Names, rows and messages as Stan's methods give them, into the memory backend: no Stan is needed.
#include <gtest/gtest.h>
#include <mcbackend/memory.hpp>
#include <mcbackend/stan_stream.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using mcbackend::Backend;
using mcbackend::Chain;
using mcbackend::DType;
using mcbackend::Error;
using mcbackend::memory_backend;
using mcbackend::RunMeta;
using mcbackend::Shape;
using mcbackend::Variable;
using mcbackend::stan::ChainStream;
using mcbackend::stan::WriterOptions;
using Names = std::vector<std::string>;
using Row = std::vector<double>;

const Names hmc{"lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__"};

Names with(Names names, const Names& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

WriterOptions options(std::vector<Variable> declared = {}) {
  RunMeta meta;
  meta.rid = "stan";
  meta.variables = std::move(declared);
  return {meta, 0};
}

void append(ChainStream& stream, const Row& row) { stream.row(row.data(), row.size()); }

Row sampler_row(double lp, const Row& parameters, double divergent = 0) {
  Row row{lp, 0.9, 0.5, 3, 7, divergent, -lp};
  row.insert(row.end(), parameters.begin(), parameters.end());
  return row;
}

/// The messages behind warmup.
void adapted(ChainStream& stream, const std::vector<std::string>& metric) {
  stream.message("Adaptation terminated");
  stream.message("Step size = 0.809818");
  for (const auto& line : metric) stream.message(line);
}

std::string code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

std::vector<bool> flags_of(Chain& chain, const std::string& name) {
  const auto flags = chain.get_stats(name).to_vector<bool>();
  return {flags.begin(), flags.end()};
}

TEST(StanStream, DrawsAndStatsHaveTheirShapesAndDtypes) {
  const auto backend = memory_backend();
  ChainStream stream(backend, options());
  stream.names(with(hmc, {"mu", "a.1.1", "a.2.1", "a.1.2", "a.2.2", "a.1.3", "a.2.3"}));
  append(stream, sampler_row(-1.5, {0.25, 11, 21, 12, 22, 13, 23}, 1));
  append(stream, sampler_row(-2.5, {-0.0, 1, 2, 3, 4, 5, std::nan("")}));
  stream.finish();

  const auto run = backend->get_run("stan");
  ASSERT_EQ(run->meta().variables.size(), 2U);
  EXPECT_EQ(run->meta().variables[1].shape, (Shape{2, 3}));
  ASSERT_EQ(run->meta().sample_stats.size(), 8U);
  EXPECT_EQ(run->meta().sample_stats.back().name, "in_warmup");
  auto& chain = *stream.chain();
  EXPECT_EQ(chain.length(), 2U);
  EXPECT_EQ(chain.get_draws("a", {0, 1, {}}).to_vector<double>(), (Row{11, 12, 13, 21, 22, 23}));
  EXPECT_TRUE(std::signbit(chain.get_draws("mu").to_vector<double>()[1]));
  EXPECT_TRUE(std::isnan(chain.get_draws("a").to_vector<double>()[11]));
  EXPECT_EQ(flags_of(chain, "divergent__"), (std::vector<bool>{true, false}));
  EXPECT_EQ(chain.get_stats("n_leapfrog__").to_vector<std::int64_t>(), (std::vector<std::int64_t>{7, 7}));
  EXPECT_EQ(chain.get_stats("lp__").to_vector<double>(), (Row{-1.5, -2.5}));
}

TEST(StanStream, WarmupEndsWithTheAdaptation) {
  ChainStream stream(memory_backend(), options());
  stream.names(with(hmc, {"mu"}));
  append(stream, sampler_row(0, {1}));
  append(stream, sampler_row(0, {2}));
  adapted(stream, {"Diagonal elements of inverse mass matrix:", "1.25"});
  append(stream, sampler_row(0, {3}));
  stream.message(" Elapsed Time: 0.01 seconds (Warm-up)");
  stream.finish();
  EXPECT_EQ(flags_of(*stream.chain(), "in_warmup"), (std::vector<bool>{true, true, false}));
}

TEST(StanStream, WithoutSavedWarmupNoDrawIsOfWarmup) {
  auto wishes = options();
  wishes.warmup_flag = "tune";
  ChainStream stream(memory_backend(), std::move(wishes));
  stream.names(with(hmc, {"mu"}));
  adapted(stream, {"Diagonal elements of inverse mass matrix:", "1"});
  append(stream, sampler_row(0, {3}));
  stream.finish();
  EXPECT_EQ(flags_of(*stream.chain(), "tune"), (std::vector<bool>{false}));
}

TEST(StanStream, ADiagonalMetricIsAFact) {
  auto wishes = options();
  wishes.seed = 12345678901234567890U;
  ChainStream stream(memory_backend(), std::move(wishes));
  stream.names(with(hmc, {"mu", "tau"}));
  adapted(stream, {"Diagonal elements of inverse mass matrix:", "1.25, 3e-05"});
  append(stream, sampler_row(0, {1, 2}));
  for (const auto* line : {"", " Elapsed Time: 0.008 seconds (Warm-up)", "1, 2", "Step size = 9"}) stream.message(line);
  stream.finish();
  const auto facts = stream.chain()->facts();
  EXPECT_EQ(facts.seed, 12345678901234567890U);
  EXPECT_EQ(facts.inverse_metric, (Row{1.25, 3e-05}));
  EXPECT_FALSE(facts.is_dense);
}

TEST(StanStream, ADenseMetricIsAFactRowByRow) {
  ChainStream stream(memory_backend(), options());
  stream.names(with(hmc, {"mu", "tau"}));
  adapted(stream, {"Elements of inverse mass matrix:", "1.25, -0.5", "-0.5, 2"});
  append(stream, sampler_row(0, {1, 2}));
  stream.finish();
  const auto facts = stream.chain()->facts();
  EXPECT_EQ(facts.step_size, 0.809818);
  EXPECT_EQ(facts.inverse_metric, (Row{1.25, -0.5, -0.5, 2}));
  EXPECT_TRUE(facts.is_dense);
}

TEST(StanStream, StructuredNumbersWinOverMessages) {
  ChainStream stream(memory_backend(), options());
  stream.names(with(hmc, {"mu"}));
  adapted(stream, {"Diagonal elements of inverse mass matrix:", "1.23457"});
  const double metric = 1.2345678901234567;
  stream.step_size(0.80981812345678901);
  stream.inverse_metric(&metric, 1, false);
  append(stream, sampler_row(0, {1}));
  stream.finish();
  const auto facts = stream.chain()->facts();
  EXPECT_EQ(facts.step_size, 0.80981812345678901);
  EXPECT_EQ(facts.inverse_metric, (Row{metric}));
}

TEST(StanStream, FactsThatNobodyCouldUseAreLeftOut) {
  ChainStream stream(memory_backend(), options());
  stream.names(hmc);
  std::string wide = "1";
  for (std::size_t i = 0; i < mcbackend::stan::most_metric_elements; ++i) wide += ", 1";
  stream.message("Adaptation terminated");
  for (const auto& line : {std::string("Step size = nan"), std::string("Diagonal elements of inverse mass matrix:"), wide}) {
    stream.message(line);
  }
  append(stream, sampler_row(0, {}));
  stream.finish();
  const auto facts = stream.chain()->facts();
  EXPECT_FALSE(facts.step_size.has_value());
  EXPECT_TRUE(facts.inverse_metric.empty());
}

/// The metric that becomes a fact of these messages, beside a draw that must be stored in any case.
Row metric_of(const std::vector<std::string>& messages) {
  auto wishes = options();
  wishes.on_error = [](const std::exception& error) { ADD_FAILURE() << error.what(); };
  ChainStream stream(memory_backend(), std::move(wishes));
  stream.names(with(hmc, {"mu", "tau"}));
  for (const auto& message : messages) stream.message(message);
  append(stream, sampler_row(0, {1, 2}));
  stream.finish();
  EXPECT_EQ(stream.chain()->length(), 1U);
  EXPECT_EQ(flags_of(*stream.chain(), "in_warmup"), (std::vector<bool>{false}));
  return stream.chain()->facts().inverse_metric;
}

TEST(StanStream, AMetricThatCannotBeReadIsNoFact) {
  const std::string done = "Adaptation terminated";
  const std::string step = "Step size = 0.5";
  const std::string diagonal = "Diagonal elements of inverse mass matrix:";
  const std::string dense = "Elements of inverse mass matrix:";
  EXPECT_EQ(metric_of({done, step, diagonal, "1.25, 0.5", ""}), (Row{1.25, 0.5}));
  EXPECT_EQ(metric_of({done, step, dense, "1, 0", "0, 1", ""}), (Row{1, 0, 0, 1}));
  // A locale with decimal commas.
  EXPECT_TRUE(metric_of({done, "Step size = 0,5", diagonal, "1,25, 0,5"}).empty());
  EXPECT_TRUE(metric_of({done, "Step size = 0,5", dense, "1, 0", "0, 1,25"}).empty());
  EXPECT_TRUE(metric_of({done, step, dense, "1, 0", "0,5, 1"}).empty());
  // Not square.
  EXPECT_TRUE(metric_of({done, step, dense, "1, 0"}).empty());
  EXPECT_TRUE(metric_of({done, step, dense, "1, 0", "0, 1, 2"}).empty());
  EXPECT_TRUE(metric_of({done, step, dense, "1, 0", "0, 1", "2, 3"}).empty());
}

TEST(StanStream, ADenseMetricThatIsNotSquareIsNoFact) {
  ChainStream stream(memory_backend(), options());
  stream.names(with(hmc, {"mu"}));
  const Row metric{1, 0, 0};
  stream.step_size(0.5);
  stream.inverse_metric(metric.data(), metric.size(), true);
  append(stream, sampler_row(0, {1}));
  stream.finish();
  EXPECT_EQ(stream.chain()->facts().step_size, 0.5);
  EXPECT_TRUE(stream.chain()->facts().inverse_metric.empty());
  EXPECT_EQ(stream.chain()->length(), 1U);
}

TEST(StanStream, MethodsWithoutWarmupHaveNoFlag) {
  const std::vector<std::pair<Names, Row>> methods{
      {{"lp__", "accept_stat__", "mu"}, {0, 0, 1.5}},            // fixed_param
      {{"mu"}, {1.5}},                                           // generated quantities
      {{"log_p__", "log_q__", "mu"}, {-1, -2, 1.5}},             // Laplace
      {{"lp_approx__", "lp__", "path__", "mu"}, {-1, -2, 3, 1.5}},  // Pathfinder
      {{"lp__", "converged__", "mu"}, {-2, 30, 1.5}}};           // optimisers
  for (const auto& [names, row] : methods) {
    const auto backend = memory_backend();
    ChainStream stream(backend, options());
    stream.names(names);
    append(stream, row);
    stream.finish();
    EXPECT_EQ(backend->get_run("stan")->meta().sample_stats.size(), names.size() - 1) << names[0];
    EXPECT_EQ(stream.chain()->get_draws("mu").to_vector<double>(), (Row{1.5}));
  }
}

TEST(StanStream, TheMeanOfAdviIsNoDraw) {
  ChainStream stream(memory_backend(), options());
  stream.message("Stepsize adaptation complete.");
  stream.message("eta = 1");
  stream.names({"lp__", "log_p__", "log_g__", "mu"});
  append(stream, {0, 0, 0, 99});
  append(stream, {0, -1, -2, 1.5});
  stream.finish();
  EXPECT_EQ(stream.chain()->get_draws("mu").to_vector<double>(), (Row{1.5}));
}

TEST(StanStream, DeclaredVariablesTellDimensionsAndDtypes) {
  const auto backend = memory_backend();
  ChainStream stream(backend, options({{"theta", DType::float64, {}, {"school"}},
                                       {"n", DType::int64, {2}},
                                       {"is_big", DType::bool_},
                                       {"none", DType::float64, {0, 3}}}));
  stream.names({"theta.1", "theta.2", "n.1", "n.2", "is_big"});
  append(stream, {0.5, 1.5, 7, -2147483648.0, 1});
  stream.finish();
  const auto& variables = backend->get_run("stan")->meta().variables;
  ASSERT_EQ(variables.size(), 4U);
  EXPECT_EQ(variables[0].shape, (Shape{2}));
  EXPECT_EQ(variables[0].dims, (Names{"school"}));
  EXPECT_EQ(stream.chain()->get_draws("n").to_vector<std::int64_t>(), (std::vector<std::int64_t>{7, -2147483648}));
  EXPECT_TRUE(stream.chain()->get_draws("is_big").data<bool>()[0]);
  EXPECT_EQ(stream.chain()->get_draws("none").shape, (Shape{1, 0, 3}));
}

TEST(StanStream, DeclarationsThatDoNotFitAreRefused) {
  const auto refusal = [](Variable declared) {
    ChainStream stream(memory_backend(), options({std::move(declared)}));
    return code_of([&] { stream.names({"theta.1", "theta.2"}); });
  };
  EXPECT_EQ(refusal({"theta", DType::float64, {3}}), "shape_mismatch");
  EXPECT_EQ(refusal({"theta", DType::str}), "unsupported_dtype");
  EXPECT_EQ(refusal({"gamma"}), "unknown_variable");
  EXPECT_EQ(refusal({"theta", DType::float64, {2}}), "");
}

TEST(StanStream, WhatIsWrongFromTheStartThrows) {
  EXPECT_EQ(code_of([] { ChainStream(nullptr, options()); }), "invalid_parameter");
  EXPECT_EQ(code_of([] { ChainStream(memory_backend(), WriterOptions{}); }), "invalid_parameter");
  ChainStream stream(memory_backend(), options());
  EXPECT_EQ(code_of([&] { stream.names({"a.1", "a.3"}); }), "invalid_parameter");
  // The first failure is not forgotten, should the caller go on.
  append(stream, {1, 2});
  EXPECT_EQ(code_of([&] { stream.finish(); }), "invalid_parameter");
}

TEST(StanStream, AChainThatHasDrawsIsRefused) {
  const auto backend = memory_backend();
  ChainStream first(backend, options());
  first.names({"mu"});
  append(first, {1});
  first.finish();
  ChainStream second(backend, options());
  EXPECT_EQ(code_of([&] { second.names({"mu"}); }), "chain_exists");
  auto other = options();
  other.chain = 1;
  ChainStream third(backend, std::move(other));
  third.names({"mu"});
  append(third, {2});
  third.finish();
  EXPECT_EQ(first.chain()->length(), 1U);
}

TEST(StanStream, AChainThatWasOpenedAndHasNoDrawsIsTaken) {
  const auto backend = memory_backend();
  for (int i = 0; i < 2; ++i) {
    ChainStream stream(backend, options());
    stream.names({"mu"});
    stream.finish();
  }
  EXPECT_EQ(backend->get_run("stan")->get_chains().size(), 1U);
}

TEST(StanStream, AFailureIsToldOnceAndThrownAtTheEnd) {
  const auto backend = memory_backend();
  auto wishes = options();
  int told = 0;
  wishes.on_error = [&](const std::exception&) {
    ++told;
    throw std::runtime_error("also where the teller throws");
  };
  ChainStream stream(backend, std::move(wishes));
  stream.names({"mu"});
  append(stream, {1});
  ASSERT_TRUE(backend->delete_run("stan"));
  for (int i = 0; i < 5; ++i) append(stream, {2});
  EXPECT_THROW(stream.finish(), Error);
  EXPECT_THROW(stream.finish(), Error);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(backend->get_run("stan"), nullptr);
}

TEST(StanStream, RowsThatDoNotFitEndTheChain) {
  const auto failure = [](const Row& row) {
    ChainStream stream(memory_backend(), options({{"n", DType::int64}}));
    stream.names({"divergent__", "n"});
    append(stream, {0, 1});
    append(stream, row);
    append(stream, {0, 2});
    EXPECT_EQ(stream.chain()->length(), 1U);
    return code_of([&] { stream.finish(); });
  };
  EXPECT_EQ(failure({0}), "shape_mismatch");
  EXPECT_EQ(failure({0, 1, 2}), "shape_mismatch");
  EXPECT_EQ(failure({0.5, 1}), "dtype_mismatch");
  EXPECT_EQ(failure({0, 1.5}), "dtype_mismatch");
  EXPECT_EQ(failure({0, std::numeric_limits<double>::quiet_NaN()}), "dtype_mismatch");
  EXPECT_EQ(failure({0, 9223372036854775808.0}), "dtype_mismatch");
}

TEST(StanStream, OrderOfCallsIsChecked) {
  ChainStream early(memory_backend(), options());
  append(early, {1});
  EXPECT_EQ(code_of([&] { early.finish(); }), "invalid_parameter");
  ChainStream twice(memory_backend(), options());
  twice.names({"mu"});
  EXPECT_EQ(code_of([&] { twice.names({"mu"}); }), "invalid_parameter");
  ChainStream nothing(memory_backend(), options());
  nothing.finish();
  EXPECT_EQ(nothing.chain(), nullptr);
}

}  // namespace
