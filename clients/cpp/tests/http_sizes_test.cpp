// Requests that are too large for a server, a proxy or a network: they get through in halves, and grow again.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "http_request_size.hpp"
#include "support/test_server.hpp"

namespace mcbackend::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int wide = 250'000;  // 2 MB a draw

class Sizes : public ::testing::Test {
 protected:
  void SetUp() override {
    MCB_NEEDS_SERVER();
    server = &TestServer::shared();
    options = quick(server->place("proxy"));
    options.flush.interval = std::chrono::minutes(5);
  }
  std::shared_ptr<Chain> new_chain(const std::string& name) {
    meta = small_meta(name);
    return http_backend(options)->init_run(meta)->init_chain(0);
  }
  /// A chain of draws of 2 MB, up to 128 MiB of which go into one request.
  std::shared_ptr<Chain> new_wide_chain(const std::string& name) {
    options.retry.timeout = milliseconds(1500);
    options.flush.max_request = options.flush.max_buffered = std::size_t{128} << 20;
    options.flush.bytes = options.flush.max_request;
    meta = small_meta(name);
    meta.variables = {{"w", DType::float64, {wide}}};
    return http_backend(options)->init_run(meta)->init_chain(0);
  }
  static DrawBatch small_batch(std::uint32_t count) {
    std::vector<double> x, v, lp;
    for (std::uint32_t i = 0; i < count; ++i) {
      x.push_back(i);
      lp.push_back(-x.back());
      v.insert(v.end(), {x.back(), 0, -0.0});
    }
    DrawBatch batch;
    batch.count = count;
    batch.draws = {{"x", NdArray::of(x)}, {"v", NdArray::of({static_cast<std::int64_t>(count), 3}, v)}};
    batch.stats = {{"lp", NdArray::of(lp)}};
    return batch;
  }
  static DrawBatch wide_batch(std::int64_t count, double first) {
    std::vector<double> w;
    for (std::int64_t i = 0; i < count; ++i) w.insert(w.end(), wide, first + static_cast<double>(i));
    DrawBatch batch;
    batch.count = static_cast<std::uint32_t>(count);
    batch.draws = {{"w", NdArray::of({count, wide}, w)}};
    return batch;
  }
  static void expect_wide(Chain& chain, int count) {
    ASSERT_EQ(chain.length(), static_cast<std::uint64_t>(count));
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(chain.get_draws_at(i).at("w"), NdArray::of(std::vector<double>(wide, i))) << i;
  }
  /// Requests of draws that did not get through.
  std::size_t stuck() {
    const auto posts = server->seen("POST", "/draws");
    return static_cast<std::size_t>(
        std::count_if(posts.begin(), posts.end(), [](const Seen& post) { return !post.fault.empty(); }));
  }
  std::uint64_t largest_since(std::size_t first) {
    std::uint64_t most = 0;
    const auto posts = server->seen("POST", "/draws");
    for (auto i = first; i < posts.size(); ++i) most = std::max(most, posts[i].bytes);
    return most;
  }
  TestServer* server = nullptr;
  HttpOptions options;
  RunMeta meta;
};

TEST_F(Sizes, BatchesThatAreTooLargeAreSentInHalves) {
  const auto chain = new_chain("halves");
  server->limit(1000);
  for (int i = 0; i < 300; ++i) append_small(*chain, i);
  chain->flush();
  expect_small(*chain, 300);
  EXPECT_EQ(writer_status(*chain).waiting_bytes, 0U);
  const auto before = server->seen("POST", "/draws").size();
  for (int i = 300; i < 600; ++i) append_small(*chain, i);
  chain->flush();
  EXPECT_LE(server->seen("POST", "/draws").size() - before, 600U * 40 / 500);  // smaller ones from the beginning
  server->limit(10);
  for (int i = 600; i < 610; ++i) append_small(*chain, i);
  EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "payload_too_large");
  EXPECT_EQ(writer_status(*chain).acknowledged, 600U);
  server->limit(1000);
  resume(*chain);
  chain->close();
  expect_small(*chain, 610);
  const auto other = new_chain("halves-of-a-batch");
  EXPECT_EQ(other->append_batch(small_batch(100)), 100U);
  expect_small(*other, 100);
}

TEST_F(Sizes, AProxysLimitNeedsNoTime) {
  const auto chain = new_chain("proxy");
  server->limit(1000, true);
  const auto begin = steady_clock::now();
  EXPECT_EQ(chain->append_batch(small_batch(100)), 100U);
  for (int i = 100; i < 200; ++i) append_small(*chain, i);
  chain->flush();
  expect_small(*chain, 200);
  server->limit(10, true);
  append_small(*chain, 200);
  const auto error = error_of([&] { chain->flush(); });
  EXPECT_EQ(error.code(), "payload_too_large");
  EXPECT_EQ(error.status(), 413);
  // A pause for a refusal that does not pass would be one of many, for 20 s.
  EXPECT_LT(steady_clock::now() - begin, milliseconds(10'000));
}

class Paced : public Sizes, public ::testing::WithParamInterface<const char*> {};

TEST_P(Paced, DrawsGetThroughInHalves) {
  const auto chain = new_wide_chain("paced");
  server->pace(9'000'000, GetParam());
  for (int i = 0; i < 16; ++i) {
    const std::vector<double> w(wide, i);
    chain->append({{"w", w}});
  }
  chain->flush();
  // 32 MB and 16 MB; the second half of the whole is not tried at once again.
  EXPECT_EQ(stuck(), 2U);
  expect_wide(*chain, 16);
}

TEST_P(Paced, ABatchGetsThroughInHalves) {
  const auto chain = new_wide_chain("paced-batch");
  server->pace(9'000'000, GetParam());
  EXPECT_EQ(chain->append_batch(wide_batch(16, 0)), 16U);
  EXPECT_EQ(stuck(), 2U);
  EXPECT_EQ(chain->append_batch(wide_batch(8, 16)), 24U);
  EXPECT_EQ(stuck(), 2U);  // what is known of the network stays known
  expect_wide(*chain, 24);
}

INSTANTIATE_TEST_SUITE_P(Faults, Paced, ::testing::Values("clogged", "late"),
                         [](const auto& test) { return std::string(test.param); });

TEST_F(Sizes, WithoutTimeForRetriesNoHalfIsTried) {
  options.retry.limit = milliseconds(0);
  const auto chain = new_wide_chain("no-retries");
  server->pace(9'000'000, "clogged");
  EXPECT_EQ(error_of([&] { chain->append_batch(wide_batch(8, 0)); }).code(), "transport");
  EXPECT_EQ(server->seen("POST", "/draws").size(), 1U);
  const auto other = new_wide_chain("no-retries-of-appends");
  server->pace(9'000'000, "late");
  for (int i = 0; i < 8; ++i) {
    const std::vector<double> w(wide, i);
    other->append({{"w", w}});
  }
  EXPECT_EQ(error_of([&] { other->flush(); }).code(), "invalid_parameter");
  EXPECT_EQ(server->seen("POST", "/draws").size(), 2U);
}

TEST_F(Sizes, RequestsGrowAgain) {
  options.flush.max_request = 8000;
  const auto chain = new_chain("growing");
  int appended = 0;
  const auto round = [&] {
    const auto end = appended + 200;
    for (; appended < end; ++appended) append_small(*chain, appended);
    chain->flush();
  };
  server->limit(1000);
  round();
  server->limit(1'000'000);
  for (int i = 0; i < 100; ++i) round();
  const auto before = server->seen("POST", "/draws").size();
  round();
  EXPECT_GE(largest_since(before), 7000U);
  EXPECT_LE(largest_since(0), 8300U);
  expect_small(*chain, appended);
}

TEST_F(Sizes, BatchesGrowAgain) {
  options.flush.max_request = 8000;
  const auto chain = new_chain("growing-batches");
  server->limit(1000);
  chain->append_batch(small_batch(200));
  server->limit(1'000'000);
  chain->append_batch(small_batch(10'000));
  EXPECT_GE(largest_since(server->seen("POST", "/draws").size() - 2), 7000U);
}

using http::RequestSize;

void take(RequestSize& size, unsigned times) {
  for (unsigned i = 0; i < times; ++i) size.take(size.bytes());
}

TEST(RequestSizes, DoubleUpToTheMost) {
  RequestSize size(1000);
  size.refuse(900);
  EXPECT_EQ(size.bytes(), 450U);
  take(size, RequestSize::first_trial - 1);
  EXPECT_EQ(size.bytes(), 450U);
  take(size, 1);
  EXPECT_EQ(size.bytes(), 900U);
  take(size, RequestSize::first_trial - 1);
  EXPECT_EQ(size.bytes(), 900U);
  take(size, 1);
  EXPECT_EQ(size.bytes(), 1000U);
  take(size, 10 * RequestSize::first_trial);
  EXPECT_EQ(size.bytes(), 1000U);
  size.refuse(1);
  EXPECT_EQ(size.bytes(), 1U);
  take(size, 10 * RequestSize::first_trial);
  EXPECT_EQ(size.bytes(), 1000U);
}

TEST(RequestSizes, SmallOnesTellNothing) {
  RequestSize size(1000);
  size.refuse(1000);
  for (unsigned i = 0; i < 1000; ++i) size.take(249);
  EXPECT_EQ(size.bytes(), 500U);
  for (unsigned i = 0; i < RequestSize::first_trial; ++i) size.take(250);
  EXPECT_EQ(size.bytes(), 1000U);
}

TEST(RequestSizes, ARefusalMakesNoneLarger) {
  RequestSize size(1000);
  size.refuse(5000);  // one draw of a shape that varies may be more than a request aims at
  EXPECT_EQ(size.bytes(), 1000U);
  size.refuse(1000);
  size.refuse(1400);
  EXPECT_EQ(size.bytes(), 500U);
}

TEST(RequestSizes, ThoseBeforeARefusalCountNoLonger) {
  RequestSize size(1000);
  size.refuse(1000);
  take(size, RequestSize::first_trial - 1);
  size.refuse(500);
  take(size, RequestSize::first_trial - 1);
  EXPECT_EQ(size.bytes(), 250U);
  take(size, 1);
  EXPECT_EQ(size.bytes(), 500U);
}

TEST(RequestSizes, OnlyARefusedTryMakesTheNextRarer) {
  RequestSize size(1000);
  size.refuse(1000);
  take(size, RequestSize::first_trial);
  size.refuse(1000);
  size.refuse(500);  // no try
  take(size, 4 * RequestSize::first_trial - 1);
  EXPECT_EQ(size.bytes(), 250U);
  take(size, 1);
  EXPECT_EQ(size.bytes(), 500U);
}

TEST(RequestSizes, ALimitThatStaysIsMetEverMoreRarely) {
  RequestSize size(1000);
  unsigned refused = 0;
  const unsigned requests = 100'000;
  for (unsigned i = 0; i < requests; ++i) {
    if (size.bytes() > 600) {
      size.refuse(size.bytes());
      ++refused;
    } else {
      size.take(size.bytes());
    }
  }
  EXPECT_LE(refused, 6 + requests / RequestSize::last_trial);
  // When the limit has gone, trials are soon as early as ever.
  take(size, RequestSize::last_trial);
  EXPECT_EQ(size.bytes(), 1000U);
  take(size, RequestSize::last_trial);
  size.refuse(1000);
  take(size, RequestSize::first_trial);
  EXPECT_EQ(size.bytes(), 1000U);
}

TEST(RequestSizes, NoneIsCutBeforeARefusal) {
  RequestSize size(1000);
  EXPECT_FALSE(size.is_oversized(1'000'000));
  size.refuse(1000);
  EXPECT_FALSE(size.is_oversized(700));
  EXPECT_TRUE(size.is_oversized(800));
}

}  // namespace
}  // namespace mcbackend::test
