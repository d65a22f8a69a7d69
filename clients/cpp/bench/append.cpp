// Cost of streaming: CPU of the sampler's thread for an append, draws that become durable in a second, bytes that are
// read in one.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mcbackend/http.hpp>
#include <string>
#include <thread>
#include <vector>

namespace mcbackend::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* usage =
    "usage: append_bench [--draws N] [--chains N] [--elements N] [--max-request BYTES]\n"
    "\n"
    "Streams draws of eight schools (three variables, one of them a vector, and six sampler stats) to the server of "
    "MCB_URL,\n"
    "each chain from a thread of its own, and reads them back. Prints the CPU time of an append in the sampler's "
    "thread,\n"
    "durable draws a second of all chains, and the speed of reading.\n";

struct Settings {
  int draws = 1'000'000;
  int chains = 4;
  int elements = 8;
  std::size_t max_request = FlushOptions{}.max_request;
};

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// CPU time of the calling thread, in nanoseconds.
double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

Settings parse(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (name == "--help" || i + 1 == count) {
      std::fputs(usage, name == "--help" ? stdout : stderr);
      std::exit(name == "--help" ? 0 : 2);  // NOLINT(concurrency-mt-unsafe): there are no threads yet
    }
    const auto value = std::max(1L, std::strtol(words[i + 1], nullptr, 10));
    if (name == "--draws") settings.draws = static_cast<int>(value);
    if (name == "--chains") settings.chains = static_cast<int>(value);
    if (name == "--elements") settings.elements = static_cast<int>(value);
    if (name == "--max-request") settings.max_request = static_cast<std::size_t>(value);
  }
  return settings;
}

RunMeta eight_schools(const Settings& settings) {
  RunMeta meta;
  meta.variables = {{"mu"}, {"tau"}, {"theta", DType::float64, {settings.elements}}};
  meta.sample_stats = {{"lp__"},
                       {"accept_stat__"},
                       {"stepsize__"},
                       {"energy__"},
                       {"treedepth__", DType::int64},
                       {"divergent__", DType::bool_}};
  return meta;
}

/// A sampler's values of one draw.
class Draw {
 public:
  explicit Draw(const Settings& settings) : theta_(static_cast<std::size_t>(settings.elements), 1.5) {}

  void append_to(Chain& chain) {
    theta_[0] = mu_ += 1;
    const double tau = 2;
    const double step = 0.25;
    const std::int64_t depth = 3;
    const bool is_divergent = false;
    chain.append({{"mu", mu_}, {"tau", tau}, {"theta", theta_}}, {{"lp__", mu_},
                                                                  {"accept_stat__", step},
                                                                  {"stepsize__", step},
                                                                  {"energy__", mu_},
                                                                  {"treedepth__", depth},
                                                                  {"divergent__", is_divergent}});
  }

 private:
  std::vector<double> theta_;
  double mu_ = 0;
};

void stream(Chain& chain, const Settings& settings) {
  Draw draw(settings);
  for (int i = 0; i < settings.draws; ++i) draw.append_to(chain);
  chain.flush();
}

/// Nanoseconds of CPU of an append, while requests go out beside it: the median of bursts that fit into buffers which
/// have grown before.
double warm_append(Chain& chain, const Settings& settings) {
  constexpr int bursts = 41;
  constexpr int burst = 5000;
  Draw draw(settings);
  std::vector<double> costs;
  for (int b = 0; b < bursts; ++b) {
    const double begin = cpu_ns();
    for (int i = 0; i < burst; ++i) draw.append_to(chain);
    costs.push_back((cpu_ns() - begin) / burst);
    chain.flush();
  }
  std::nth_element(costs.begin(), costs.begin() + bursts / 2, costs.end());
  return costs[bursts / 2];
}

void run(const Settings& settings) {
  auto options = HttpOptions::from_environment();
  options.flush.max_request = settings.max_request;
  options.log = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  const auto backend = http_backend(options);
  const auto made = backend->init_run(eight_schools(settings));
  std::vector<std::shared_ptr<Chain>> chains;
  chains.reserve(static_cast<std::size_t>(settings.chains));
  for (int c = 0; c < settings.chains; ++c) chains.push_back(made->init_chain(c));
  const double cost = warm_append(*made->init_chain(settings.chains), settings);
  std::vector<std::thread> threads;
  threads.reserve(chains.size());
  const auto begin = Clock::now();
  for (auto& chain : chains) threads.emplace_back([&chain, &settings] { stream(*chain, settings); });
  for (auto& thread : threads) thread.join();
  const double took = seconds(begin, Clock::now());
  const double draws = static_cast<double>(settings.draws) * settings.chains;
  const auto bytes = static_cast<double>((7 + settings.elements) * 8 + 1);
  std::printf("append: %.0f ns of CPU a draw of 9 values, %.0f bytes\n", cost, bytes);
  std::printf("durable: %.0f draws/s, %.1f MB/s (%d chains x %d draws, requests of at most %.1f MiB)\n", draws / took,
              draws * bytes / took / 1e6, settings.chains, settings.draws,
              static_cast<double>(settings.max_request) / (1 << 20));
  const auto from = Clock::now();
  const auto theta = chains.front()->get_draws("theta");
  const double read = seconds(from, Clock::now());
  std::printf("read: %.0f MB/s (%.1f MB)\n", static_cast<double>(theta.bytes.size()) / read / 1e6,
              static_cast<double>(theta.bytes.size()) / 1e6);
  backend->delete_run(made->rid());
}

}  // namespace
}  // namespace mcbackend::bench

int main(int count, char** words) {
  try {
    mcbackend::bench::run(mcbackend::bench::parse(count, words));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
