/// @file
/// Methods of Stan on one model, behind a header that compiles fast: all that takes long is in stan_runs.cpp, once.
#pragma once

#include <stan/callbacks/structured_writer.hpp>
#include <stan/callbacks/writer.hpp>

#include <memory>
#include <string>

namespace stan_runs {

/// Writers of a run.
struct Writers {
  ::stan::callbacks::writer& sample;
  ::stan::callbacks::structured_writer& metric;
};

/// Settings of a run of NUTS.
struct Nuts {
  unsigned seed = 1;
  unsigned chain = 1;
  int warmup = 500;
  int samples = 1000;
  int thin = 1;
  bool save_warmup = true;
};

/// The model with its data. May be sampled from several threads.
class Model {
 public:
  /// @param path the file of data, as JSON
  explicit Model(const std::string& path);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();

  // Each returns Stan's code of success, 0 when all went well.
  int nuts_diagonal(const Nuts& nuts, const Writers& writers);
  int nuts_dense(const Nuts& nuts, const Writers& writers);
  int fixed_param(int samples, ::stan::callbacks::writer& sample);
  // With the option MCBACKEND_STAN_METHODS.
  int newton(int iterations, ::stan::callbacks::writer& sample);
  int meanfield(int draws, ::stan::callbacks::writer& sample);
  int pathfinder(int draws, ::stan::callbacks::writer& sample);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace stan_runs
