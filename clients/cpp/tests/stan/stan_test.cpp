/// @file
/// Real Stan: what a backend holds is bit by bit what Stan gave to its writer.
#include <gtest/gtest.h>
#include <mcbackend/mcbackend.hpp>
#include <mcbackend/stan.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "recorder.hpp"
#include "stan_runs.hpp"
#include "support/test_server.hpp"

namespace {

using mcbackend::Backend;
using mcbackend::Chain;
using mcbackend::DType;
using mcbackend::Error;
using mcbackend::NdArray;
using mcbackend::Shape;
using mcbackend::Variable;
using mcbackend::stan::MetricWriter;
using mcbackend::stan::Writer;
using mcbackend::stan::WriterOptions;
using stan_runs::Model;
using stan_runs::Nuts;
using stan_runs::Recorder;

/// The metric as Stan gives it to writers of metrics, and handed on.
class MetricRecorder final : public ::stan::callbacks::structured_writer {
 public:
  explicit MetricRecorder(::stan::callbacks::structured_writer& next) : next_(next) {}
  using ::stan::callbacks::structured_writer::write;
  void write(const std::string& key, double value) override {
    step_size = value;
    next_.write(key, value);
  }
  void write(const std::string& key, const Eigen::VectorXd& values) override {
    metric.assign(values.data(), values.data() + values.size());
    next_.write(key, values);
  }
  void write(const std::string& key, const Eigen::MatrixXd& values) override {
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      for (Eigen::Index j = 0; j < values.cols(); ++j) metric.push_back(values(i, j));
    }
    next_.write(key, values);
  }
  double step_size = 0;
  std::vector<double> metric;

 private:
  ::stan::callbacks::structured_writer& next_;
};

Model& model() {
  static Model of_schools(MCBACKEND_STAN_DATA);
  return of_schools;
}

WriterOptions options(std::int32_t chain = 0) {
  static std::atomic<int> runs{0};
  static const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  mcbackend::RunMeta meta;
  meta.rid = "stan-" + std::to_string(now) + "-" + std::to_string(runs++);
  meta.variables = {{"theta", DType::float64, {8}, {"school"}}, {"n", DType::int64}, {"none", DType::float64, {0}}};
  meta.attributes["model"] = std::string("eight schools");
  return {meta, chain};
}

/// The place of a column: variable and indices of the element, from 1. Written apart from the library's parser.
std::pair<std::string, Shape> place_of(const std::string& column) {
  static const std::regex pattern(R"(([A-Za-z_]\w*)((?:[.:]\d+)*)(\.real|\.imag)?)");
  std::smatch match;
  if (!std::regex_match(column, match, pattern)) throw std::runtime_error("a column is called " + column);
  std::string name = match[1];
  Shape index;
  const std::string steps = match[2];
  static const std::regex step("([.:])(\\d+)");
  for (std::sregex_iterator at(steps.begin(), steps.end(), step), end; at != end; ++at) {
    if ((*at)[1] == ":") {
      name += at->str();
    } else {
      index.push_back(std::stoll((*at)[2]));
    }
  }
  return {name + match[3].str(), index};
}

std::size_t flat(const Shape& index, const Shape& shape) {
  std::size_t at = 0;
  for (std::size_t d = 0; d < index.size(); ++d) {
    at = at * static_cast<std::size_t>(shape.at(d + 1)) + static_cast<std::size_t>(index[d] - 1);
  }
  return at;
}

/// An element as the double that Stan gave.
double number(const NdArray& array, std::size_t at) {
  if (array.dtype == DType::bool_) return array.data<bool>()[at] ? 1 : 0;
  if (array.dtype == DType::int64) return static_cast<double>(array.data<std::int64_t>()[at]);
  return array.data<double>()[at];
}

bool is_same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

/// Compares every value that Stan gave with what the chain holds.
void expect_equal(Chain& chain, const Recorder& given) {
  ASSERT_FALSE(given.rows.empty());
  ASSERT_EQ(chain.length(), given.rows.size());
  std::map<std::string, NdArray> held;
  for (std::size_t column = 0; column < given.names.size(); ++column) {
    const auto [name, index] = place_of(given.names[column]);
    const bool is_stat = name.size() > 2 && name.substr(name.size() - 2) == "__";
    if (held.count(name) == 0) held[name] = is_stat ? chain.get_stats(name) : chain.get_draws(name);
    const auto& array = held[name];
    ASSERT_EQ(array.shape.size(), index.size() + 1) << given.names[column];
    const auto elements = array.size() / given.rows.size();
    for (std::size_t row = 0; row < given.rows.size(); ++row) {
      ASSERT_TRUE(is_same(number(array, row * elements + flat(index, array.shape)), given.rows[row].at(column)))
          << given.names[column] << " of draw " << row;
    }
  }
}

void expect_warmup(Chain& chain, const Recorder& given) {
  const auto flags = chain.get_stats("in_warmup").to_vector<bool>();
  ASSERT_EQ(flags.size(), given.rows.size());
  for (std::size_t row = 0; row < flags.size(); ++row) ASSERT_EQ(flags[row], row < given.rows_of_warmup) << row;
}

/// Samples four chains, each in a thread of its own, and compares them.
void sample_four(const std::shared_ptr<Backend>& backend) {
  const auto of_run = options();
  std::vector<std::thread> threads;
  for (std::int32_t number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      auto of_chain = of_run;
      of_chain.chain = number;
      of_chain.seed = 19;
      of_chain.on_error = [](const std::exception& error) { ADD_FAILURE() << error.what(); };
      Writer writer(backend, of_chain);
      MetricWriter metric(writer);
      Recorder recorder(writer);
      MetricRecorder of_metric(metric);
      Nuts nuts;
      nuts.seed = 19;
      nuts.chain = static_cast<unsigned>(number) + 1;
      EXPECT_EQ(model().nuts_diagonal(nuts, {recorder, of_metric}), 0);
      writer.finish();
      ASSERT_EQ(recorder.rows.size(), 1500U);
      EXPECT_EQ(recorder.rows_of_warmup, 500U);
      const auto chain = backend->get_run(of_run.meta.rid)->get_chain(number);
      expect_equal(*chain, recorder);
      expect_warmup(*chain, recorder);
      const auto facts = chain->facts();
      EXPECT_EQ(facts.seed, 19U);
      EXPECT_EQ(facts.step_size, of_metric.step_size);
      EXPECT_EQ(facts.inverse_metric, of_metric.metric);
      EXPECT_EQ(facts.inverse_metric.size(), 10U);
      EXPECT_FALSE(facts.is_dense);
    });
  }
  for (auto& thread : threads) thread.join();
  const auto run = backend->get_run(of_run.meta.rid);
  ASSERT_EQ(run->get_chains().size(), 4U);
  EXPECT_NE(run->get_chain(0)->get_draws("mu"), run->get_chain(1)->get_draws("mu"));
  EXPECT_EQ(std::get<std::string>(run->meta().attributes.at("inference_library")), "stan");
  EXPECT_EQ(std::get<std::string>(run->meta().attributes.at("inference_library_version")), "2.39.0");
}

TEST(Stan, FourChainsIntoMemory) { sample_four(mcbackend::memory_backend()); }

TEST(Stan, FourChainsIntoAServer) {
  const char* url = std::getenv("MCB_URL");
  mcbackend::HttpOptions http;
  if (url != nullptr) {
    http = mcbackend::HttpOptions::from_environment();
  } else {
    MCB_NEEDS_SERVER();
    http.url = mcbackend::test::TestServer::shared().place("server");
  }
  http.flush.interval = std::chrono::milliseconds(20);
  sample_four(mcbackend::http_backend(http));
}

TEST(Stan, ADenseMetricThinnedWithoutWarmup) {
  const auto backend = mcbackend::memory_backend();
  for (const bool is_exact : {true, false}) {
    auto of_chain = options();
    Writer writer(backend, of_chain);
    Recorder recorder(writer);
    ::stan::callbacks::structured_writer nothing;
    MetricWriter metric(writer);
    MetricRecorder of_metric(is_exact ? static_cast<::stan::callbacks::structured_writer&>(metric) : nothing);
    Nuts nuts;
    nuts.thin = 3;
    nuts.samples = 100;
    nuts.save_warmup = false;
    EXPECT_EQ(model().nuts_dense(nuts, {recorder, of_metric}), 0);
    writer.finish();
    ASSERT_EQ(recorder.rows.size(), 34U);
    expect_equal(*writer.chain(), recorder);
    expect_warmup(*writer.chain(), recorder);
    const auto facts = writer.chain()->facts();
    EXPECT_TRUE(facts.is_dense);
    ASSERT_EQ(facts.inverse_metric.size(), 100U);
    for (std::size_t i = 0; i < 100; ++i) {
      const double exact = of_metric.metric[i];
      if (is_exact) {
        EXPECT_EQ(facts.inverse_metric[i], exact);
      } else {
        EXPECT_NEAR(facts.inverse_metric[i], exact, 1e-5 * std::abs(exact));
      }
    }
    EXPECT_NEAR(facts.step_size.value_or(0), of_metric.step_size, 1e-5 * of_metric.step_size);
  }
}

TEST(Stan, MethodsWithoutWarmup) {
  const auto backend = mcbackend::memory_backend();
  const auto stored = [&](const auto& method) {
    Writer writer(backend, options());
    Recorder recorder(writer);
    EXPECT_EQ(method(recorder), 0);
    writer.finish();
    if (recorder.names.at(0) == "lp__" && recorder.names.at(1) == "log_p__") {
      EXPECT_EQ(recorder.rows.at(0).at(1), 0);
      recorder.rows.erase(recorder.rows.begin());
    }
    expect_equal(*writer.chain(), recorder);
    EXPECT_THROW(writer.chain()->get_stats("in_warmup"), Error);
    return recorder.rows.size();
  };
  EXPECT_EQ(stored([](auto& sample) { return model().fixed_param(50, sample); }), 50U);
#if MCBACKEND_STAN_METHODS
  EXPECT_EQ(stored([](auto& sample) { return model().meanfield(60, sample); }), 60U);
  EXPECT_EQ(stored([](auto& sample) { return model().pathfinder(70, sample); }), 70U);
  EXPECT_GT(stored([](auto& sample) { return model().newton(20, sample); }), 1U);
#endif
}

TEST(Stan, RowsOfAnyKind) {
  const auto backend = mcbackend::memory_backend();
  mcbackend::RunMeta meta;
  meta.rid = "kinds";
  std::vector<Writer> writers;
  writers.emplace_back(backend, WriterOptions{meta, 0});
  ::stan::callbacks::writer& writer = writers[0];
  EXPECT_TRUE(writer.is_valid());
  writer(std::vector<std::string>{"x.1", "x.2"});
  Eigen::MatrixXd two_draws(2, 2);
  two_draws << 1, 3, 2, 4;
  writer(two_draws);
  writer(Eigen::VectorXd(Eigen::Vector2d(5, 6)));
  writer(Eigen::RowVectorXd(Eigen::RowVector2d(7, 8)));
  writer(Eigen::MatrixXd(2, 0));
  writers.reserve(8);
  writers[0].finish();
  EXPECT_EQ(writers[0].chain()->get_draws("x").to_vector<double>(), (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(Stan, AServerThatIsNotThereEndsTheRunBeforeItBegins) {
  mcbackend::HttpOptions http;
  http.url = "http://127.0.0.1:9";
  http.retry.limit = std::chrono::milliseconds(0);
  Writer writer(mcbackend::http_backend(http), options());
  ::stan::callbacks::structured_writer nothing;
  const auto begin = std::chrono::steady_clock::now();
  // This version of Stan catches what writers throw, and logs it.
  EXPECT_NE(model().nuts_diagonal({}, {writer, nothing}), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_THROW(writer.finish(), Error);
}

}  // namespace
