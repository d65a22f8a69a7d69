// Parts of the HTTP backend that need no server: options, pauses, Retry-After, facts.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <thread>

#include "http_answers.hpp"
#include "http_backoff.hpp"
#include "http_options.hpp"
#include "http_signals.hpp"

namespace mcbackend::http {
namespace {

HttpOptions with_url(const std::string& url) {
  HttpOptions options;
  options.url = url;
  return options;
}

std::string refusal_of(const HttpOptions& options) {
  try {
    http_backend(options);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), "invalid_parameter");
    return e.what();
  }
  return "";
}

TEST(Options, Addresses) {
  EXPECT_EQ(checked(with_url("https://lab.example/mcb//")).url, "https://lab.example/mcb");
  for (const auto* url :
       {"", "http://", "lab.example", "ftp://lab.example", "file:///etc/passwd", "http://a:b@lab.example",
        "http://lab.example/?x", "http://lab.example/#x", "http://lab example", "http://lab\r\nX: y"}) {
    EXPECT_NE(refusal_of(with_url(url)), "") << url;
  }
}

TEST(Options, TokensStayUntold) {
  auto options = with_url("http://127.0.0.1:1");
  options.token = "mcb_secret\r\nX-Injected: 1";
  const auto refusal = refusal_of(options);
  EXPECT_NE(refusal, "");
  EXPECT_EQ(refusal.find("secret"), std::string::npos);
}

TEST(Options, NumbersAndFiles) {
  const auto refused = [](void (*change)(HttpOptions&)) {
    auto options = with_url("http://127.0.0.1:1");
    change(options);
    return refusal_of(options) != "";
  };
  EXPECT_TRUE(refused([](HttpOptions& o) { o.flush.count = 0; }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.flush.max_buffered = 0; }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.flush.max_request = 0; }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.flush.interval = milliseconds(-1); }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.retry.timeout = milliseconds(0); }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.tls.ca_file = "/no/such/file.pem"; }));
  EXPECT_TRUE(refused([](HttpOptions& o) { o.tls.client_key = "/dev/null"; }));
  EXPECT_FALSE(refused([](HttpOptions& o) { o.retry.limit = milliseconds(-1); }));
  EXPECT_FALSE(refused([](HttpOptions& o) { o.retry.limit = milliseconds::max(); }));
}

TEST(Options, FromTheEnvironment) {
  ::setenv("MCB_URL", "http://127.0.0.1:8787", 1);
  ::setenv("MCB_TOKEN", "mcb_key", 1);
  EXPECT_EQ(HttpOptions::from_environment().url, "http://127.0.0.1:8787");
  EXPECT_EQ(HttpOptions::from_environment().token, "mcb_key");
  ::unsetenv("MCB_URL");
  ::unsetenv("MCB_TOKEN");
  EXPECT_THROW(HttpOptions::from_environment(), Error);
}

TEST(RetryAfter, SecondsAndDates) {
  EXPECT_EQ(parse_retry_after("0"), milliseconds(0));
  EXPECT_EQ(parse_retry_after("120"), milliseconds(120'000));
  EXPECT_EQ(parse_retry_after("99999999999999999999"), std::chrono::hours(24));
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), milliseconds(0));
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 2999 23:59:59 GMT"), std::chrono::hours(24));
  EXPECT_FALSE(parse_retry_after("soon"));
  EXPECT_FALSE(parse_retry_after(""));
  EXPECT_FALSE(parse_retry_after("-5"));
}

TEST(Pauses, GrowUpToTheirCapWithFullJitter) {
  RetryOptions options;
  options.base = milliseconds(100);
  options.cap = milliseconds(1000);
  options.limit = std::chrono::hours(1);
  const Clock::time_point now{};
  double longest = 0, shortest = 1e9;
  for (int round = 0; round < 500; ++round) {
    Backoff backoff(options);
    for (int failure = 0; failure < 8; ++failure) {
      const auto next = backoff.next(now, {});
      ASSERT_TRUE(next);
      const auto pause = std::chrono::duration<double, std::milli>(*next - now).count();
      EXPECT_LE(pause, std::min(1000.0, 100 * std::ldexp(1, failure)));
      if (failure == 7) {
        longest = std::max(longest, pause);
        shortest = std::min(shortest, pause);
      }
    }
    EXPECT_EQ(backoff.failures(), 8U);
  }
  EXPECT_GT(longest, 900);
  EXPECT_LT(shortest, 100);
}

TEST(Pauses, EndWithTheLimit) {
  RetryOptions options;
  options.limit = milliseconds(1000);
  Backoff backoff(options);
  const Clock::time_point first{};
  ASSERT_TRUE(backoff.next(first, {}));
  EXPECT_EQ(backoff.next(first + milliseconds(10), milliseconds(500)), first + milliseconds(510));
  EXPECT_FALSE(backoff.next(first + milliseconds(20), milliseconds(990)));
  EXPECT_LE(*backoff.next(first + milliseconds(999), {}), first + milliseconds(1000));
  EXPECT_FALSE(backoff.next(first + milliseconds(1000), {}));
  backoff.reset();
  EXPECT_TRUE(backoff.next(first + milliseconds(5000), {}));
  options.limit = milliseconds(0);
  EXPECT_FALSE(Backoff(options).next(first, {}));
  options.limit = milliseconds(-1);
  Backoff endless(options);
  endless.next(first, {});
  EXPECT_EQ(endless.next(first + std::chrono::hours(1000), std::chrono::hours(5)), first + std::chrono::hours(1005));
}

Answer about(const std::string& facts) {
  Answer answer;
  answer.status = 200;
  answer.type = "application/json";
  answer.body = R"({"rid":"r","facts":)" + facts + "}";
  return answer;
}

TEST(Facts, ThereAndBack) {
  ChainFacts facts;
  facts.seed = std::numeric_limits<std::uint64_t>::max();
  facts.step_size = 0.1;
  facts.inverse_metric = {1, 1.0 / 3, std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::quiet_NaN()};
  const auto patch = facts_patch(facts, 12);
  EXPECT_EQ(patch, R"({"facts":{"chains":{"12":{"seed":18446744073709551615,"stepSize":0.1,)"
                   R"("inverseMetric":[1,0.3333333333333333,"Infinity","NaN"]}}}})");
  const auto read = facts_of(about(patch.substr(9, patch.size() - 10)), 12);
  EXPECT_EQ(read.seed, facts.seed);
  EXPECT_EQ(read.step_size, facts.step_size);
  ASSERT_EQ(read.inverse_metric.size(), 4U);
  EXPECT_EQ(read.inverse_metric[2], facts.inverse_metric[2]);
  EXPECT_TRUE(std::isnan(read.inverse_metric[3]));
  EXPECT_FALSE(read.is_dense);
}

TEST(Facts, ADenseMetricHasRows) {
  ChainFacts facts;
  facts.inverse_metric = {1, 0.5, 0.5, 2};
  facts.is_dense = true;
  const auto patch = facts_patch(facts, 0);
  EXPECT_EQ(patch, R"({"facts":{"chains":{"0":{"inverseMetric":[[1,0.5],[0.5,2]]}}}})");
  const auto read = facts_of(about(patch.substr(9, patch.size() - 10)), 0);
  EXPECT_EQ(read.inverse_metric, facts.inverse_metric);
  EXPECT_TRUE(read.is_dense);
  facts.inverse_metric.pop_back();
  EXPECT_THROW(facts_patch(facts, 0), Error);
}

TEST(Signals, SigpipeIsKeptAway) {
  std::signal(SIGPIPE, SIG_DFL);
  {
    const NoSigpipe guard;
    ASSERT_EQ(::raise(SIGPIPE), 0);  // ends the program without the guard
  }
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

std::atomic<bool> was_handled_here{false};

TEST(Signals, OfTheProcessAreNotTheSendersToHandle) {
  static const auto here = ::pthread_self();
  std::signal(SIGUSR1, [](int) { was_handled_here = ::pthread_equal(::pthread_self(), here) != 0; });
  const auto backend = http_backend(with_url("http://127.0.0.1:9"));
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &usr1, nullptr), 0);
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  std::this_thread::sleep_for(milliseconds(50));  // the thread that sends would take it now
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
  ASSERT_EQ(::pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr), 0);
  EXPECT_TRUE(was_handled_here);
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(Facts, AsOthersWriteThem) {
  const auto read =
      facts_of(about(R"({"chains":{"0":{"seed":"x","stepSize":2,"inverseMetric":[[1,0.5],[0.5,2]]}}})"), 0);
  EXPECT_FALSE(read.seed);
  EXPECT_EQ(read.step_size, 2);
  EXPECT_EQ(read.inverse_metric, (std::vector<double>{1, 0.5, 0.5, 2}));
  EXPECT_TRUE(read.is_dense);
  EXPECT_FALSE(facts_of(about("{}"), 0).step_size);
  EXPECT_FALSE(facts_of(about(R"({"chains":{"1":{"stepSize":2}}})"), 0).step_size);
}

TEST(Answers, OnlyTheServersAreBelieved) {
  Request request;
  const auto options = with_url("http://h");
  Answer answer;
  answer.status = 200;
  answer.type = "text/html";
  ASSERT_TRUE(failure_of(options, request, answer));
  EXPECT_TRUE(failure_of(options, request, answer)->is_passing);
  answer.type = "application/json";
  EXPECT_FALSE(failure_of(options, request, answer));
  for (const int status : {204, 206, 301, 302, 401, 404, 500, 503}) {
    answer.status = status;
    EXPECT_TRUE(failure_of(options, request, answer)->is_passing) << status;
  }
  answer.status = 413;
  EXPECT_EQ(failure_of(options, request, answer)->error.code(), "payload_too_large");
  EXPECT_FALSE(failure_of(options, request, answer)->is_passing);
  answer.body = R"({"code":"rate_limited","detail":"slowly","length":4})";
  answer.status = 429;
  EXPECT_TRUE(failure_of(options, request, answer)->is_passing);
  answer.status = 409;
  const auto refused = failure_of(options, request, answer);
  EXPECT_FALSE(refused->is_passing);
  EXPECT_EQ(refused->error.length(), 4U);
  EXPECT_EQ(detail_of(refused->error), "slowly");
  answer.status = 200;
  answer.body = R"({"chain":0,"length":-1})";
  EXPECT_THROW(chain_of(answer, 0), Error);
  answer.body = R"({"chain":0,"length":7})";
  EXPECT_EQ(chain_of(answer, 0).length, 7U);
  EXPECT_THROW(chain_of(answer, 1), Error);
  request.registration = "a";
  answer.registration = "b";
  EXPECT_EQ(failure_of(options, request, answer)->error.code(), "run_replaced");
}

TEST(Names, PercentEncoded) { EXPECT_EQ(escaped("theta[1,2] a+b/μ~"), "theta%5B1%2C2%5D%20a%2Bb%2F%CE%BC~"); }

}  // namespace
}  // namespace mcbackend::http
