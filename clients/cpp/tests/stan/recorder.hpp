/// @file
/// A writer that keeps what Stan gives and hands it on: what a backend holds is compared with it.
#pragma once

#include <stan/callbacks/writer.hpp>

#include <string>
#include <vector>

namespace stan_runs {

/// Names, rows and messages, each before the next writer has it.
class Recorder final : public ::stan::callbacks::writer {
 public:
  explicit Recorder(::stan::callbacks::writer& next) : next_(next) {}
  using ::stan::callbacks::writer::operator();

  void operator()(const std::vector<std::string>& of_columns) override {
    names = of_columns;
    next_(of_columns);
  }
  void operator()(const std::vector<double>& row) override {
    rows.push_back(row);
    next_(row);
  }
  void operator()(const std::string& message) override {
    if (message == "Adaptation terminated") rows_of_warmup = rows.size();
    messages.push_back(message);
    next_(message);
  }
  void operator()(const Eigen::Matrix<double, 1, -1>& row) override {
    rows.emplace_back(row.data(), row.data() + row.size());
    next_(row);
  }
  void operator()(const Eigen::Matrix<double, -1, 1>& row) override {
    rows.emplace_back(row.data(), row.data() + row.size());
    next_(row);
  }
  bool is_valid() const noexcept override { return next_.is_valid(); }

  std::vector<std::string> names, messages;
  std::vector<std::vector<double>> rows;
  std::size_t rows_of_warmup = 0;

 private:
  ::stan::callbacks::writer& next_;
};

}  // namespace stan_runs
