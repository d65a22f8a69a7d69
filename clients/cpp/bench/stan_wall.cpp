/// @file
/// Stan's wall time with streaming against without: pairs of runs, one after the other, in one process. The CPU time of the
/// threads that sample is told as well, which other programs on the machine do not touch.
#include <mcbackend/mcbackend.hpp>
#include <mcbackend/stan.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <map>
#include <numeric>
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

/// Seconds until the last chain was sampled, until all of it was durable, and of CPU in the threads that sample.
struct Times {
  double sampled = 0, durable = 0, cpu = 0;
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double cpu_of_thread() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Runs something in a thread for each chain. Returns seconds of wall time, and of CPU in all threads.
template <class Call>
Times in_threads(int chains, Call call) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(chains));
  std::vector<double> cpu(static_cast<std::size_t>(chains));
  const auto begin = Clock::now();
  for (int chain = 0; chain < chains; ++chain) {
    threads.emplace_back([&, chain] {
      call(chain);
      cpu[static_cast<std::size_t>(chain)] = cpu_of_thread();
    });
  }
  for (auto& thread : threads) thread.join();
  const auto seconds = seconds_since(begin);
  return {seconds, seconds, std::accumulate(cpu.begin(), cpu.end(), 0.0)};
}

stan_runs::Nuts nuts_of(const Settings& settings, int chain) {
  return {1, static_cast<unsigned>(chain) + 1, 500, settings.draws, 1, true};
}

Times without(stan_runs::Model& model, const Settings& settings) {
  return in_threads(settings.chains, [&](int chain) {
    ::stan::callbacks::writer nothing;
    ::stan::callbacks::structured_writer no_metric;
    model.nuts_diagonal(nuts_of(settings, chain), {nothing, no_metric});
  });
}

Times with(stan_runs::Model& model, const Settings& settings, const std::shared_ptr<mcbackend::Backend>& backend) {
  mcbackend::RunMeta meta;
  meta.rid = "stan-wall-" + std::to_string(Clock::now().time_since_epoch().count());
  std::vector<Writer> writers;
  writers.reserve(static_cast<std::size_t>(settings.chains));
  for (int chain = 0; chain < settings.chains; ++chain) {
    writers.emplace_back(backend, mcbackend::stan::WriterOptions{meta, chain});
  }
  const auto begin = Clock::now();
  auto times = in_threads(settings.chains, [&](int chain) {
    auto& writer = writers[static_cast<std::size_t>(chain)];
    MetricWriter metric(writer);
    model.nuts_diagonal(nuts_of(settings, chain), {writer, metric});
  });
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

/// Median over runs of one figure.
double median(const std::vector<Times>& runs, double Times::*figure) {
  std::vector<double> values;
  values.reserve(runs.size());
  for (const auto& run : runs) values.push_back(run.*figure);
  return median(values);
}

void measure(const Settings& settings) {
  stan_runs::Model model(MCBACKEND_STAN_DATA);
  const auto backend = mcbackend::http_backend(mcbackend::HttpOptions::from_environment());
  std::vector<Times> alone;
  std::vector<Times> streamed;
  // The first pair warms up.
  for (int pair = 0; pair <= settings.pairs; ++pair) {
    const bool is_alone_first = pair % 2 == 0;
    const auto first = is_alone_first ? without(model, settings) : with(model, settings, backend);
    const auto second = is_alone_first ? with(model, settings, backend) : without(model, settings);
    if (pair == 0) continue;
    alone.push_back(is_alone_first ? first : second);
    streamed.push_back(is_alone_first ? second : first);
  }
  const auto ratio = [&](double Times::*figure) { return median(streamed, figure) / median(alone, figure); };
  std::cout << settings.chains << " chains of " << settings.draws << " draws, " << settings.pairs << " pairs; ratio\n"
            << "wall time:        " << ratio(&Times::sampled) << " (" << median(alone, &Times::sampled) << " s without)\n"
            << "until durable:    " << ratio(&Times::durable) << '\n'
            << "CPU of sampling:  " << ratio(&Times::cpu) << " (" << median(alone, &Times::cpu) << " s without)\n";
}

constexpr const char* usage =
    "Usage: mcbackend_stan_wall [--pairs N] [--chains N] [--draws N]\n\n"
    "MCB_URL names the server. Pairs of runs with and without streaming, and the ratio of their medians.\n";

}  // namespace

int main(int argc, char** argv) try {
  Settings settings;
  const std::map<std::string, int*> numbers{
      {"--pairs", &settings.pairs}, {"--chains", &settings.chains}, {"--draws", &settings.draws}};
  for (int i = 1; i < argc; i += 2) {
    const auto found = numbers.find(argv[i]);
    const int value = found == numbers.end() || i + 1 == argc ? 0 : std::atoi(argv[i + 1]);
    if (value < 1) {
      std::cout << usage;
      return std::string(argv[i]) == "--help" ? 0 : 2;
    }
    *found->second = value;
  }
  measure(settings);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "mcbackend_stan_wall: " << error.what() << '\n';
  return 1;
}
