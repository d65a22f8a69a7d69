// The promise of exactly once: four chains on four threads, through a proxy that fails thirty requests of a hundred, to
// a server that is killed and started again; every draw must be there once, in order, bit by bit.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "support/test_server.hpp"

namespace mcbackend::test {
namespace {

using std::chrono::milliseconds;

constexpr int chains = 4;

/// Draws of a chain; MCB_FAULT_DRAWS sets another number.
int draws_of_chain() {
  const char* given = std::getenv("MCB_FAULT_DRAWS");
  return given == nullptr ? 50'000 : std::atoi(given);
}

/// Bits that differ from draw to draw and from chain to chain, NaNs among them.
double value_of(int chain, int draw, int element) {
  auto bits = static_cast<std::uint64_t>(draw) * 0x9E3779B97F4A7C15U + static_cast<std::uint64_t>(chain * 8 + element);
  if (draw % 97 == 0) bits |= 0x7FF0000000000000U;
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

RunMeta meta_of_faults() {
  auto meta = small_meta("faults");
  meta.variables = {{"x", DType::float64, {3}}, {"n", DType::int64}, {"path", DType::int16, {-1}}};
  meta.sample_stats = {{"lp"}, {"tune", DType::bool_}};
  return meta;
}

void sample(Chain& chain, int number, int draws) {
  std::vector<double> x(3);
  std::vector<std::int16_t> path;
  for (int i = 0; i < draws; ++i) {
    for (int e = 0; e < 3; ++e) x[static_cast<std::size_t>(e)] = value_of(number, i, e);
    path.assign(static_cast<std::size_t>(i % 4), static_cast<std::int16_t>(i));
    const std::int64_t n = i;
    const double lp = value_of(number, i, 3);
    if (i % 3 == 0) {
      chain.append({{"x", x}, {"n", n}, {"path", path}});
    } else {
      chain.append({{"x", x}, {"n", n}, {"path", path}}, {{"lp", lp}, {"tune", i < draws / 2}});
    }
    // A sampler takes its time, so that the server is killed while draws arrive.
    if (i % 500 == 0) std::this_thread::sleep_for(milliseconds(20));
  }
  chain.flush();
}

/// Number of the first draw that is wrong; `draws` when all are right.
int first_wrong(Chain& chain, int number, int draws) {
  const auto x = chain.get_draws("x");
  const auto n = chain.get_draws("n");
  const auto lp = chain.get_stats("lp");
  const auto tune = chain.get_stats("tune");
  const auto path = chain.get_draws_list("path");
  if (x.shape[0] != draws || n.shape[0] != draws || path.size() != static_cast<std::size_t>(draws)) return -1;
  for (int i = 0; i < draws; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::uint64_t fill = 0x7FF8000000000000U;
    double stat = value_of(number, i, 3);
    if (i % 3 == 0) std::memcpy(&stat, &fill, sizeof stat);
    const double values[] = {value_of(number, i, 0), value_of(number, i, 1), value_of(number, i, 2)};
    const bool is_right = std::memcmp(x.bytes.data() + 24 * at, values, 24) == 0 && n.data<std::int64_t>()[at] == i &&
                          std::memcmp(lp.bytes.data() + 8 * at, &stat, 8) == 0 &&
                          (tune.bytes[at] == std::byte{1}) == (i % 3 != 0 && i < draws / 2) &&
                          path[at].to_vector<std::int16_t>() ==
                              std::vector<std::int16_t>(static_cast<std::size_t>(i % 4), static_cast<std::int16_t>(i));
    if (!is_right) return i;
  }
  return draws;
}

TEST(Faults, EveryDrawOnceInOrder) {
  MCB_NEEDS_SERVER();
  if (std::getenv("MCB_URL") != nullptr) GTEST_SKIP() << "the server of MCB_URL cannot be killed";
  TestServer server;
  server.chance(0.3);
  auto options = quick(server.place("proxy"));
  options.flush.count = 200;
  options.flush.max_request = 32'000;
  options.flush.max_buffered = 1 << 20;
  options.retry.limit = milliseconds(120'000);
  std::atomic<int> outages{0};
  options.log = [&](const std::string& text) { outages += text.rfind("outage", 0) == 0 ? 1 : 0; };
  const int draws = draws_of_chain();
  const auto run = http_backend(options)->init_run(meta_of_faults());
  std::atomic<int> at_work{chains};
  std::vector<std::string> errors(chains);
  std::vector<std::thread> samplers;
  for (int c = 0; c < chains; ++c) {
    samplers.emplace_back([&, c] {
      try {
        sample(*run->init_chain(c), c, draws);
      } catch (const std::exception& e) {
        errors[static_cast<std::size_t>(c)] = e.what();
      }
      --at_work;
    });
  }
  int kills = 0;
  while (at_work > 0) {
    std::this_thread::sleep_for(milliseconds(400));
    if (at_work > 0 && kills < 4) {
      server.kill();
      ++kills;
    }
  }
  for (auto& sampler : samplers) sampler.join();
  for (const auto& error : errors) EXPECT_EQ(error, "");
  EXPECT_GE(kills, 2);
  EXPECT_GE(outages, 1);
  int faults = 0, posts = 0;
  for (const auto& seen : server.seen()) {
    faults += seen.fault.empty() ? 0 : 1;
    posts += seen.method == "POST" ? 1 : 0;
  }
  EXPECT_GE(faults, 20);
  std::printf("%d draws of each of %d chains in %d requests, %d faults, %d kills\n", draws, chains, posts, faults,
              kills);
  const auto read = http_backend(quick(server.place("server")))->get_run(run->rid());
  for (const auto& chain : read->get_chains()) {
    EXPECT_EQ(chain->length(), static_cast<std::uint64_t>(draws));
    EXPECT_EQ(first_wrong(*chain, chain->number(), draws), draws) << "chain " << chain->number();
  }
  EXPECT_EQ(read->get_chains().size(), static_cast<std::size_t>(chains));
}

}  // namespace
}  // namespace mcbackend::test
