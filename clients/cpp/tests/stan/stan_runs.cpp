/// @file
/// Stan's services, called as CmdStan calls them.
#include "stan_runs.hpp"

// The model, as stanc has translated it.
#include "schools.hpp"

#include <fstream>
#include <sstream>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/services/sample/fixed_param.hpp>
#include <stan/services/sample/hmc_nuts_dense_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/services/util/create_unit_e_dense_inv_metric.hpp>
#include <stan/services/util/create_unit_e_diag_inv_metric.hpp>

#if MCBACKEND_STAN_METHODS
#include <stan/services/experimental/advi/meanfield.hpp>
#include <stan/services/optimize/newton.hpp>
#include <stan/services/pathfinder/single.hpp>
#endif

namespace stan_runs {

namespace {

constexpr double init_radius = 2;

/// Everything that a service wants beside its writers, of one thread.
struct Surroundings {
  // Gradients of a thread lie on a tape of its own.
  ::stan::math::ChainableStack tape;
  ::stan::io::empty_var_context init;
  ::stan::callbacks::interrupt interrupt;
  ::stan::callbacks::writer nothing;
  ::stan::callbacks::structured_writer no_structure;
  std::stringstream text;
  ::stan::callbacks::stream_logger logger{text, text, text, text, text};
};

std::unique_ptr<::stan::model::model_base> model_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  ::stan::json::json_data data(file);
  return std::unique_ptr<::stan::model::model_base>(&new_model(data, 1, &std::cerr));
}

}  // namespace

struct Model::Parts {
  std::unique_ptr<::stan::model::model_base> model;
};

Model::Model(const std::string& path) : parts_(new Parts{model_of(path)}) {}
Model::~Model() = default;

int Model::nuts_diagonal(const Nuts& nuts, const Writers& writers) {
  Surroundings s;
  auto metric = ::stan::services::util::create_unit_e_diag_inv_metric(parts_->model->num_params_r());
  return ::stan::services::sample::hmc_nuts_diag_e_adapt(
      *parts_->model, s.init, metric, nuts.seed, nuts.chain, init_radius, nuts.warmup, nuts.samples, nuts.thin,
      nuts.save_warmup, 0, 1, 0, 10, 0.8, 0.05, 0.75, 10, 75, 50, 25, s.interrupt, s.logger, s.nothing, writers.sample,
      s.nothing, writers.metric);
}

int Model::nuts_dense(const Nuts& nuts, const Writers& writers) {
  Surroundings s;
  auto metric = ::stan::services::util::create_unit_e_dense_inv_metric(parts_->model->num_params_r());
  return ::stan::services::sample::hmc_nuts_dense_e_adapt(
      *parts_->model, s.init, metric, nuts.seed, nuts.chain, init_radius, nuts.warmup, nuts.samples, nuts.thin,
      nuts.save_warmup, 0, 1, 0, 10, 0.8, 0.05, 0.75, 10, 75, 50, 25, s.interrupt, s.logger, s.nothing, writers.sample,
      s.nothing, writers.metric);
}

int Model::fixed_param(int samples, ::stan::callbacks::writer& sample) {
  Surroundings s;
  return ::stan::services::sample::fixed_param(*parts_->model, s.init, 1, 1, init_radius, samples, 1, 0, s.interrupt,
                                               s.logger, s.nothing, sample, s.nothing);
}

#if MCBACKEND_STAN_METHODS

int Model::newton(int iterations, ::stan::callbacks::writer& sample) {
  Surroundings s;
  return ::stan::services::optimize::newton<::stan::model::model_base, false>(
      *parts_->model, s.init, 1, 1, init_radius, iterations, true, s.interrupt, s.logger, s.nothing, sample);
}

int Model::meanfield(int draws, ::stan::callbacks::writer& sample) {
  Surroundings s;
  return ::stan::services::experimental::advi::meanfield(*parts_->model, s.init, 1, 1, init_radius, 1, 100, 1000, 0.01,
                                                         1.0, true, 50, 100, draws, s.interrupt, s.logger, s.nothing,
                                                         sample, s.nothing);
}

int Model::pathfinder(int draws, ::stan::callbacks::writer& sample) {
  Surroundings s;
  return ::stan::services::pathfinder::pathfinder_lbfgs_single(
      *parts_->model, s.init, 1, 1, init_radius, 5, 0.001, 1e-12, 1e4, 1e-8, 1e7, 1e-8, 1000, 25, draws, false, 0,
      s.interrupt, s.logger, s.nothing, sample, s.no_structure);
}

#endif

}  // namespace stan_runs
