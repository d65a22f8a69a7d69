/// @file
/// Metropolis on a normal density: draws go to the server at MCB_URL while they are made, or stay in memory without one.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mcbackend/mcbackend.hpp>
#include <random>
#include <vector>

namespace {

std::shared_ptr<mcbackend::Backend> backend() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet.
  if (std::getenv("MCB_URL") == nullptr) return mcbackend::memory_backend();
  return mcbackend::http_backend(mcbackend::HttpOptions::from_environment());
}

void sample(mcbackend::Chain& chain, int draws) {
  std::mt19937 random(19);
  std::normal_distribution<double> step;
  std::uniform_real_distribution<double> uniform;
  std::vector<double> x{0, 0};
  const auto density = [](const std::vector<double>& at) { return -(at[0] * at[0] + at[1] * at[1]) / 2; };
  for (int i = 0; i < draws; ++i) {
    const std::vector<double> proposed{x[0] + step(random), x[1] + step(random)};
    const bool accepted = std::log(uniform(random)) < density(proposed) - density(x);
    if (accepted) x = proposed;
    chain.append({{"x", x}}, {{"lp", density(x)}, {"accepted", accepted}});
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1) {
    std::cout << "Usage: minimal\n\nMCB_URL names the server; without it draws stay in memory.\n";
    return std::strcmp(argv[1], "--help") == 0 ? 0 : 2;
  }
  mcbackend::RunMeta meta;
  meta.variables = {{"x", mcbackend::DType::float64, {2}}};
  meta.sample_stats = {{"lp"}, {"accepted", mcbackend::DType::bool_}};
  const auto run = backend()->init_run(meta);
  const auto chain = run->init_chain(0);
  sample(*chain, 1000);
  chain->close();
  std::cout << run->rid() << " has " << chain->length() << " draws, the last of which is x[0] = "
            << chain->get_draws("x", {-1, {}, {}}).to_vector<double>()[0] << '\n';
  return 0;
} catch (const std::exception& error) {
  std::cerr << "minimal: " << error.what() << '\n';
  return 1;
}
