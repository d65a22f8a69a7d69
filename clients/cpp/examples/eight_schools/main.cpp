/// @file
/// Samples eight schools with Stan: four chains at once, whose draws go to the server at MCB_URL while they are made.
#include "eight_schools.hpp"

#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <mcbackend/http.hpp>
#include <mcbackend/stan.hpp>
#include <memory>
#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <string>
#include <vector>

namespace {

constexpr int chains = 4;
constexpr int warmup = 1000;
constexpr int draws = 1000;

/// Facts of the run that are known before its first draw. Stan itself tells variables, shapes and stats.
mcbackend::RunMeta metadata(const std::string& rid, const stan::io::var_context& data) {
  mcbackend::RunMeta meta;
  meta.rid = rid;
  meta.attributes = {{"model", std::string("eight_schools")}, {"max_depth", 10.0}};
  // Names for the dimension of a variable of Stan's, and labels along it.
  meta.variables = {{"theta", mcbackend::DType::float64, {8}, {"school"}}};
  const std::vector<std::string> schools{"Choate",   "Deerfield", "Phillips Andover", "Phillips Exeter",
                                         "Hotchkiss", "Lawrenceville", "St. Paul's", "Mt. Hermon"};
  meta.coordinates = {{"school", schools}};
  meta.data = {{"y", data.vals_r("y"), {"school"}, true}, {"sigma", data.vals_r("sigma"), {"school"}, false}};
  return meta;
}

/// Samples, and returns when all draws are stored.
int sample(stan::model::model_base& model, const mcbackend::RunMeta& meta, unsigned seed) {
  const auto backend = mcbackend::http_backend(mcbackend::HttpOptions::from_environment());
  std::vector<mcbackend::stan::Writer> writers;
  std::vector<mcbackend::stan::MetricWriter> metrics;
  for (int chain = 0; chain < chains; ++chain) {
    mcbackend::stan::WriterOptions options{meta, chain};
    options.seed = seed;
    options.on_error = [chain](const std::exception& e) { std::cerr << "chain " << chain << ": " << e.what() << '\n'; };
    writers.emplace_back(backend, options);
    metrics.emplace_back(writers.back());
  }

  const std::vector<std::shared_ptr<stan::io::empty_var_context>> init(chains,
                                                                      std::make_shared<stan::io::empty_var_context>());
  std::vector<stan::callbacks::writer> init_writers(chains), diagnostic_writers(chains);
  stan::callbacks::stream_logger logger(std::cerr, std::cerr, std::cerr, std::cerr, std::cerr);
  stan::callbacks::interrupt interrupt;
  const int status = stan::services::sample::hmc_nuts_diag_e_adapt(
      model, chains, init, seed, 1, 2, warmup, draws, 1, true, 500, 1, 0, 10, 0.8, 0.05, 0.75, 10, 75, 50, 25,
      interrupt, logger, init_writers, writers, diagnostic_writers, metrics);

  for (auto& writer : writers) writer.finish();
  return status;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2 || std::strcmp(argv[1], "--help") == 0) {
    std::cout << "Usage: eight_schools DATA.json\n\nMCB_URL names the server, MCB_TOKEN the key, if it has keys.\n";
    return argc == 2 ? 0 : 2;
  }
  stan::math::init_threadpool_tbb(chains);
  std::ifstream file(argv[1]);
  if (!file) throw std::runtime_error(std::string("cannot read ") + argv[1]);
  stan::json::json_data data(file);
  const std::unique_ptr<stan::model::model_base> model(&new_model(data, 1, &std::cerr));

  const unsigned seed = 20;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto rid = "eight-schools-" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  const int status = sample(*model, metadata(rid, data), seed);
  if (status == 0) std::cout << rid << '\n';
  return status;
} catch (const std::exception& error) {
  std::cerr << "eight_schools: " << error.what() << '\n';
  return 1;
}
