/// @file
/// Stan's wall time with streaming against without: pairs of runs, one after the other, in one process.
#include <mcbackend/mcbackend.hpp>
#include <mcbackend/stan.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "stan_runs.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using mcbackend::stan::MetricWriter;
using mcbackend::stan::Writer;

struct Settings {
  int pairs = 7, chains = 2, draws = 20'000;
};

/// Seconds until the last chain was sampled, and until all of it was durable.
struct Times {
  double sampled = 0, durable = 0;
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Runs something in a thread for each chain.
template <class Call>
void in_threads(int chains, Call call) {
  std::vector<std::thread> threads;
  for (int chain = 0; chain < chains; ++chain) threads.emplace_back(call, chain);
  for (auto& thread : threads) thread.join();
}

stan_runs::Nuts nuts_of(const Settings& settings, int chain) {
  return {1, static_cast<unsigned>(chain) + 1, 500, settings.draws, 1, true};
}

Times without(stan_runs::Model& model, const Settings& settings) {
  const auto begin = Clock::now();
  in_threads(settings.chains, [&](int chain) {
    ::stan::callbacks::writer nothing;
    ::stan::callbacks::structured_writer no_metric;
    model.nuts_diagonal(nuts_of(settings, chain), {nothing, no_metric});
  });
  const auto seconds = seconds_since(begin);
  return {seconds, seconds};
}

Times with(stan_runs::Model& model, const Settings& settings, const std::shared_ptr<mcbackend::Backend>& backend) {
  mcbackend::RunMeta meta;
  meta.rid = "stan-wall-" + std::to_string(Clock::now().time_since_epoch().count());
  std::vector<Writer> writers;
  for (int chain = 0; chain < settings.chains; ++chain) {
    writers.emplace_back(backend, mcbackend::stan::WriterOptions{meta, chain});
  }
  Times times;
  const auto begin = Clock::now();
  in_threads(settings.chains, [&](int chain) {
    auto& writer = writers[static_cast<std::size_t>(chain)];
    MetricWriter metric(writer);
    model.nuts_diagonal(nuts_of(settings, chain), {writer, metric});
  });
  times.sampled = seconds_since(begin);
  for (auto& writer : writers) writer.finish();
  times.durable = seconds_since(begin);
  backend->delete_run(meta.rid);
  return times;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void measure(const Settings& settings) {
  stan_runs::Model model(MCBACKEND_STAN_DATA);
  const auto backend = mcbackend::http_backend(mcbackend::HttpOptions::from_environment());
  std::vector<double> alone, sampled, durable;
  for (int pair = -1; pair < settings.pairs; ++pair) {
    Times plain, streamed;
    if (pair % 2 == 0) plain = without(model, settings);
    streamed = with(model, settings, backend);
    if (pair % 2 != 0) plain = without(model, settings);
    if (pair < 0) continue;  // The first pair warms up.
    alone.push_back(plain.sampled);
    sampled.push_back(streamed.sampled);
    durable.push_back(streamed.durable);
  }
  std::cout << settings.chains << " chains of " << settings.draws << " draws, " << settings.pairs << " pairs\n"
            << "without: " << median(alone) << " s\n"
            << "with:    " << median(sampled) << " s, durable after " << median(durable) << " s\n"
            << "ratio:   " << median(sampled) / median(alone) << ", until durable " << median(durable) / median(alone)
            << '\n';
}

constexpr const char* usage =
    "Usage: mcbackend_stan_wall [--pairs N] [--chains N] [--draws N]\n\n"
    "MCB_URL names the server. Pairs of runs with and without streaming, and the ratio of their medians.\n";

}  // namespace

int main(int argc, char** argv) try {
  Settings settings;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    int* const value = option == "--pairs"    ? &settings.pairs
                       : option == "--chains" ? &settings.chains
                       : option == "--draws"  ? &settings.draws
                                              : nullptr;
    if (value == nullptr || i + 1 == argc || (*value = std::atoi(argv[i + 1])) < 1) {
      std::cout << usage;
      return option == "--help" ? 0 : 2;
    }
  }
  measure(settings);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "mcbackend_stan_wall: " << error.what() << '\n';
  return 1;
}
