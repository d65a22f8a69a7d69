/// @file
/// A writer for Stan that streams its draws into a backend: Stan 2.19 to 2.39, from <stan/callbacks/writer.hpp> alone.
#pragma once

#include <stan/callbacks/writer.hpp>
#include <stan/version.hpp>
// Services of Stan give step size and metric to a writer of their own from 2.34 on.
#if STAN_MAJOR > 2 || STAN_MINOR >= 34
#include <stan/callbacks/structured_writer.hpp>
/// Defined where this version of Stan has writers of metrics, and this header `MetricWriter`.
#define MCBACKEND_STAN_HAS_METRIC 1
#endif

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "stan_stream.hpp"

namespace mcbackend::stan {

namespace detail {

/// A writer of Stan that hands rows on as numbers in memory.
class RowWriter : public ::stan::callbacks::writer {
 public:
  using ::stan::callbacks::writer::operator();

 protected:
  /// Takes a row.
  virtual void take(const double* row, std::size_t count) = 0;
};

/// True where a writer has an overload for exactly this type.
template <class Base, class Row, class = void>
struct HasOverload : std::false_type {};
template <class Base, class Row>
struct HasOverload<Base, Row,
                   std::void_t<decltype(static_cast<void (Base::*)(const Row&)>(&Base::operator()))>>
    : std::true_type {};

/// Overrides an overload for a matrix, of which each column is a draw, or for a vector, where Stan has it.
template <class Base, class Rows, bool = HasOverload<::stan::callbacks::writer, Rows>::value>
class Overload : public Base {};
template <class Base, class Rows>
class Overload<Base, Rows, true> : public Base {
 public:
  using Base::operator();
  /// Appends draws. The elements of each lie side by side in memory.
  void operator()(const Rows& rows) override {
    if constexpr (Rows::IsVectorAtCompileTime) {
      this->take(rows.data(), static_cast<std::size_t>(rows.size()));
    } else {
      for (Eigen::Index at = 0; at < rows.cols(); ++at) {
        this->take(rows.data() + at * rows.outerStride(), static_cast<std::size_t>(rows.rows()));
      }
    }
  }
};

/// Says that the writer writes, in versions of Stan that ask (a Pathfinder leaves out writers that do not).
template <class Base, class = void>
class Valid : public Base {};
template <class Base>
class Valid<Base, std::void_t<decltype(std::declval<const Base&>().is_valid())>> : public Base {
 public:
  bool is_valid() const noexcept override { return true; }
};

#ifdef EIGEN_WORLD_VERSION
using MatrixWriter =
    Overload<Overload<RowWriter, Eigen::Matrix<double, -1, -1>>, Eigen::Ref<Eigen::Matrix<double, -1, -1>>>;
using AnyWriter =
    Valid<Overload<Overload<MatrixWriter, Eigen::Matrix<double, -1, 1>>, Eigen::Matrix<double, 1, -1>>>;
#else
using AnyWriter = Valid<RowWriter>;
#endif

/// The metadata with the attributes that Stan has for every run.
inline RunMeta with_attributes(RunMeta meta) {
  meta.attributes.emplace("inference_library", std::string("stan"));
  meta.attributes.emplace("inference_library_version",
                          ::stan::MAJOR_VERSION + "." + ::stan::MINOR_VERSION + "." + ::stan::PATCH_VERSION);
  return meta;
}

}  // namespace detail

/// The writer of one chain: registers the run when Stan tells its names, and appends each row under it.
///
/// Columns that end in "__" are sampler stats, all others variables (stan_names.hpp tells their names). For samplers of
/// HMC the stat `in_warmup` is true until Stan says that its adaptation is over; with that come the facts step size and
/// inverse metric. Other methods have no such stat:
///
/// - fixed_param, generated quantities, Laplace and Pathfinder: each row is a draw;
/// - ADVI: the first row, which is the mean of the approximation and no draw, is left out;
/// - optimisers: one row, or one for each iteration that is saved. They are no draws, but are kept the same way.
///
/// Not for the diagnostic writer, of which Stan does not say when warmup is over.
///
/// Everything that can be wrong with names, metadata and server throws when the names come, before sampling begins. Newer
/// services catch that, log it and return a code of failure, but `finish` throws it again. From then on nothing throws: a
/// failure is told by `on_error`, ends what is stored, and is thrown by `finish`. Use a backend that blocks while its
/// buffer is full (WhenFull::block): one that refuses a draw ends the chain.
///
/// One thread at a time. Moves, so that services of several chains take a std::vector of them.
class Writer final : public detail::AnyWriter {
 public:
  using detail::AnyWriter::operator();

  /// @throws Error invalid_parameter without a backend or `meta.rid`
  Writer(std::shared_ptr<Backend> backend, WriterOptions options) {
    options.meta = detail::with_attributes(std::move(options.meta));
    stream_ = std::make_shared<ChainStream>(std::move(backend), std::move(options));
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  Writer& operator=(Writer&&) = delete;
  /// The writer that is moved from may only be destroyed.
  Writer(Writer&&) noexcept = default;
  /// Waits for nothing. Only `finish` tells that all draws are stored.
  ~Writer() override {
    if (stream_ != nullptr) stream_->abandon();
  }

  /// Registers the run and opens the chain. @throws Error chain_exists, run_conflict, transport …
  void operator()(const std::vector<std::string>& names) override { stream_->names(names); }
  /// Appends a draw.
  void operator()(const std::vector<double>& state) override { stream_->row(state.data(), state.size()); }
  /// Takes a comment.
  void operator()(const std::string& message) override { stream_->message(message); }
  /// Takes an empty line, which tells nothing.
  void operator()() override {}

  /// Returns when all draws are durable. @throws the reason for which draws were not stored, each time
  void finish() { stream_->finish(); }
  /// The chain; null until Stan has told its names.
  std::shared_ptr<Chain> chain() const noexcept { return stream_->chain(); }

 private:
  friend class MetricWriter;
  void take(const double* row, std::size_t count) override { stream_->row(row, count); }

  std::shared_ptr<ChainStream> stream_;
};

#ifdef MCBACKEND_STAN_HAS_METRIC
/// The metric writer of the same chain, in versions of Stan that have one: all digits of step size and inverse metric
/// become facts, and not the six of comments.
class MetricWriter final : public ::stan::callbacks::structured_writer {
 public:
  using ::stan::callbacks::structured_writer::write;

  /// @param writer the one that takes the chain's draws
  explicit MetricWriter(const Writer& writer) : stream_(writer.stream_) {}

  /// Takes "stepsize".
  void write(const std::string& key, double value) override {
    if (key == "stepsize") stream_->step_size(value);
  }
  /// Takes the diagonal "inv_metric".
  void write(const std::string& key, const Eigen::VectorXd& diagonal) override {
    if (key == "inv_metric") stream_->inverse_metric(diagonal.data(), static_cast<std::size_t>(diagonal.size()), false);
  }
  /// Takes the dense "inv_metric". It is symmetric but for its last bits, which are kept as well.
  void write(const std::string& key, const Eigen::MatrixXd& metric) override {
    if (key != "inv_metric") return;
    const Eigen::Matrix<double, -1, -1, Eigen::RowMajor> rows = metric;
    stream_->inverse_metric(rows.data(), static_cast<std::size_t>(rows.size()), true);
  }

 private:
  std::shared_ptr<ChainStream> stream_;
};
#endif

}  // namespace mcbackend::stan
