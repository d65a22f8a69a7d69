/// @file
/// One chain of Stan on its way into a backend: names, rows and messages as Stan tells them. Needs no header of Stan.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <locale>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "interfaces.hpp"
#include "stan_rows.hpp"

namespace mcbackend::stan {

/// Elements of an inverse metric that become a fact, at most: the facts of all chains share 1 MiB of text.
inline constexpr std::size_t most_metric_elements = 2000;

/// Step size and inverse metric, as Stan tells them in text behind its warmup, with six digits. Numbers in another
/// form tell nothing: Stan writes them in the program's locale, and they may have a decimal comma there.
class Adaptation {
 public:
  /// Takes a message. True where it has told something of step size or metric.
  bool note(const std::string& message) {
    if (message.find("Adaptation terminated") != std::string::npos) {
      is_done_ = true;
    } else if (is_done_ && is_in_metric_) {
      return note_row(numbers_in(message));
    } else if (is_done_ && message.rfind("Step size = ", 0) == 0) {
      const auto numbers = numbers_in(message.substr(12));
      is_unusable_ = is_unusable_ || numbers.size() != 1;
      if (!is_unusable_ && numbers[0] > 0) step_size_ = numbers[0];
      return step_size_.has_value();
    } else if (is_done_) {
      is_in_metric_ = rows_ == 0 && message.find("lements of inverse mass matrix:") != std::string::npos;
      is_square_ = is_square_ || (is_in_metric_ && message.find("Elements") != std::string::npos);
    }
    return false;
  }
  /// True once Stan has said that the adaptation is over, as it also does where there was none.
  bool is_done() const noexcept { return is_done_; }
  /// Nothing where it was not told, and for a model without parameters.
  std::optional<double> step_size() const noexcept { return step_size_; }
  /// The diagonal, or the rows of a dense metric, in one; empty where it was not told in full, or is too large to be a
  /// fact.
  std::vector<double> inverse_metric() const {
    const auto rows = is_square_ ? width_ : 1;
    return is_unusable_ || rows_ != rows ? std::vector<double>() : metric_;
  }
  /// True where the metric has several rows.
  bool is_dense() const noexcept { return rows_ > 1; }

 private:
  bool note_row(const std::vector<double>& row) {
    is_in_metric_ = !row.empty();
    if (row.empty()) return false;
    if (++rows_ == 1) width_ = row.size();
    is_unusable_ = is_unusable_ || row.size() != width_ || width_ * rows_ > most_metric_elements;
    if (is_unusable_) {
      metric_.clear();
    } else {
      metric_.insert(metric_.end(), row.begin(), row.end());
    }
    return true;
  }

  /// Numbers, with a comma and a space between; none where anything else is there.
  static std::vector<double> numbers_in(const std::string& text) {
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    std::vector<double> numbers;
    for (double number = 0; in >> number;) {
      numbers.push_back(number);
      if ((in >> std::ws).eof()) return numbers;
      if (in.get() != ',' || in.peek() != ' ') break;
    }
    return {};
  }

  bool is_done_ = false, is_in_metric_ = false, is_square_ = false, is_unusable_ = false;
  std::optional<double> step_size_;
  std::vector<double> metric_;
  std::size_t rows_ = 0, width_ = 0;
};

/// A run of Stan that becomes a chain.
struct WriterOptions {
  /// `rid` must be set: all chains of a run register with the same metadata, and the first that does makes it.
  /// Variables and stats come from Stan. `variables` may name those of which there is more to tell than Stan does:
  /// dimensions, int64 or bool where Stan gives double, and arrays without elements, of which Stan says nothing.
  RunMeta meta;
  /// Number of the chain, from 0.
  std::int32_t chain = 0;
  // NOLINTBEGIN(readability-redundant-member-init): without braces, compilers warn of {meta, chain}.
  /// Becomes a fact of the chain.
  std::optional<std::uint64_t> seed{};
  /// Told once why draws are no longer stored, while Stan goes on; and of facts that were not taken, for want of which
  /// no draw is lost. Called from the thread that samples.
  std::function<void(const std::exception&)> on_error{};
  // NOLINTEND(readability-redundant-member-init)
  /// The stat that is true for draws of warmup. Runs that are made from Stan's CSV files call it "tune".
  std::string warmup_flag = "in_warmup";
};

/// Names, rows and messages of one run of Stan in, draws and facts of one chain out.
class ChainStream {
 public:
  /// @throws Error invalid_parameter without a backend or a rid
  ChainStream(std::shared_ptr<Backend> backend, WriterOptions options)
      : backend_(std::move(backend)), options_(std::move(options)) {
    if (backend_ == nullptr) throw Error("invalid_parameter", "a writer for Stan needs a backend");
    if (options_.meta.rid.empty()) {
      throw Error("invalid_parameter", "RunMeta.rid is empty: give all chains of a run the same one");
    }
  }

  /// Registers run and chain. It throws, as no time has been spent on sampling yet.
  /// @throws Error of the backend; invalid_parameter for names that come twice or make up no variables; chain_exists
  /// for a chain that has draws already, behind which others do not belong
  void names(const std::vector<std::string>& names) {
    try {
      if (layout_ != nullptr) {
        throw Error("invalid_parameter", "names came twice: each run of Stan needs a writer of its own");
      }
      begin(names);
    } catch (...) {
      error_ = std::current_exception();
      throw;
    }
  }

  /// Appends a draw. Never throws: Stan does not call back behind an exception, and other writers would lose draws.
  void row(const double* values, std::size_t count) noexcept {
    guarded([&] {
      if (chain_ == nullptr) throw Error("invalid_parameter", "values came before names");
      if (std::exchange(skips_mean_, false)) return;
      layout_->take(values, count, !adaptation_.is_done());
      chain_->append(layout_->draw(), layout_->stats());
    });
    send_facts();
  }
  /// Takes a message of the sampler, which may tell the end of warmup, the step size, the metric.
  void message(const std::string& text) noexcept {
    aside([&] {
      if (!adaptation_.note(text) || is_exact_) return;
      facts_.step_size = adaptation_.step_size();
      facts_.inverse_metric = adaptation_.inverse_metric();
      facts_.is_dense = adaptation_.is_dense() && !facts_.inverse_metric.empty();
      has_facts_ = true;
    });
  }
  /// Takes the step size with all its digits. From then on messages are not asked for it.
  void step_size(double value) noexcept {
    is_exact_ = true;
    if (!std::isfinite(value) || value <= 0) return;
    facts_.step_size = value;
    has_facts_ = true;
  }
  /// Takes the inverse metric with all its digits, in C order; left out is one of too many elements, and a dense one
  /// that is not square.
  void inverse_metric(const double* elements, std::size_t count, bool is_dense) noexcept {
    aside([&] {
      is_exact_ = true;
      facts_.inverse_metric.clear();
      const bool is_finite = std::all_of(elements, elements + count, [](double x) { return std::isfinite(x); });
      const bool is_fact = is_finite && count <= most_metric_elements && (!is_dense || is_square(count));
      if (is_fact) facts_.inverse_metric.assign(elements, elements + count);
      facts_.is_dense = is_dense && facts_.inverse_metric.size() > 1;
      has_facts_ = true;
    });
  }

  /// Returns when all draws are durable. @throws the reason for which draws were not stored, each time
  void finish() {
    if (error_) std::rethrow_exception(error_);
    if (chain_ == nullptr) return;
    send_facts();
    try {
      chain_->flush();
    } catch (const std::exception& error) {
      // Facts that were refused are thrown once, behind draws that are all stored; what befell draws is thrown again.
      chain_->flush();
      tell(error);
    }
  }
  /// Hands over what is known and was not sent yet, without waiting for the backend.
  void abandon() noexcept {
    if (chain_ != nullptr) send_facts();
  }
  /// The chain; null until Stan has told its names.
  std::shared_ptr<Chain> chain() const noexcept { return chain_; }

 private:
  void begin(const std::vector<std::string>& names) {
    const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
    const bool has_warmup = has("stepsize__");
    skips_mean_ = has("log_g__");
    layout_ = std::make_unique<RowLayout>(names, options_.meta.variables,
                                          has_warmup ? options_.warmup_flag : std::string());
    auto meta = options_.meta;
    meta.variables = layout_->variables(false);
    const auto stats = layout_->variables(true);
    meta.sample_stats.insert(meta.sample_stats.end(), stats.begin(), stats.end());
    auto chain = backend_->init_run(std::move(meta))->init_chain(options_.chain);
    if (!chain->is_new() && chain->length() > 0) {
      throw Error("chain_exists", "chain " + std::to_string(options_.chain) + " of run " + options_.meta.rid +
                                      " has draws already: choose another rid");
    }
    chain_ = std::move(chain);
    facts_.seed = options_.seed;
    has_facts_ = options_.seed.has_value();
  }

  void send_facts() noexcept {
    aside([&] {
      if (std::exchange(has_facts_, false)) chain_->set_facts(facts_);
    });
  }

  /// Does something unless an earlier call has failed, and notes its failure.
  template <class Call>
  void guarded(Call call) noexcept {
    if (error_) return;
    try {
      call();
    } catch (const std::exception& error) {
      error_ = std::current_exception();
      tell(error);
    }
  }
  /// Does something for facts, whose failure is told and ends nothing.
  template <class Call>
  void aside(Call call) noexcept {
    if (error_) return;
    try {
      call();
    } catch (const std::exception& error) {
      tell(error);
    }
  }
  static bool is_square(std::size_t count) noexcept {
    std::size_t side = 0;
    while (side * side < count) ++side;
    return side * side == count;
  }
  void tell(const std::exception& error) const noexcept {
    try {
      if (options_.on_error) options_.on_error(error);
    } catch (...) {  // NOLINT(bugprone-empty-catch): the sampler must not end for the teller's sake.
    }
  }

  std::shared_ptr<Backend> backend_;
  WriterOptions options_;
  std::unique_ptr<RowLayout> layout_;
  std::shared_ptr<Chain> chain_;
  Adaptation adaptation_;
  ChainFacts facts_;
  bool has_facts_ = false, is_exact_ = false, skips_mean_ = false;
  std::exception_ptr error_;
};

}  // namespace mcbackend::stan
