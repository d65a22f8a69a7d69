// A network and a server that fail: draws are stored once each, and failures for good are told.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/test_server.hpp"

namespace mcbackend::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Failures : public ::testing::Test {
 protected:
  void SetUp() override {
    MCB_NEEDS_SERVER();
    server = &TestServer::shared();
    options = quick(server->place("proxy"));
  }
  std::shared_ptr<Chain> new_chain(const std::string& name) {
    meta = small_meta(name);
    return http_backend(options)->init_run(meta)->init_chain(0);
  }
  TestServer* server = nullptr;
  HttpOptions options;
  RunMeta meta;
};

class Passing : public Failures, public ::testing::WithParamInterface<const char*> {};

TEST_P(Passing, IsTriedAgainWithTheSameBytes) {
  const auto chain = new_chain("passing");
  server->plan(GetParam(), 2, "POST", "/draws");
  for (int i = 0; i < 50; ++i) append_small(*chain, i);
  chain->flush();
  const auto posts = server->seen("POST", "/draws");
  ASSERT_GE(posts.size(), 3U);
  EXPECT_EQ(posts[0].digest, posts[1].digest);
  EXPECT_EQ(posts[1].digest, posts[2].digest);
  for (const auto& post : posts) EXPECT_FALSE(post.header("mcb-registration").empty());
  expect_small(*chain, 50);
}

INSTANTIATE_TEST_SUITE_P(Faults, Passing,
                         ::testing::Values("cut", "lost", "half", "page", "late page", "redirect", "not found",
                                           "server error", "timeout", "busy", "gateway", "unavailable", "late gateway",
                                           "other json", "other chain", "short length", "vast json"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (auto& c : name) c = c == ' ' ? '_' : c;
                           return name;
                         });

TEST_F(Failures, EveryCallIsTriedAgain) {
  meta = small_meta("calls");
  const auto backend = http_backend(options);
  const auto faults = {"page", "half", "cut", "lost"};
  const auto plan = [&] {
    server->reset();
    for (const auto* fault : faults) server->plan(fault);
  };
  plan();
  const auto run = backend->init_run(meta);
  plan();
  const auto chain = run->init_chain(0);
  append_small(*chain, 0);
  append_small(*chain, 1);
  chain->flush();
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { EXPECT_NE(backend->get_run(meta.rid), nullptr); }, [&] { EXPECT_EQ(run->get_chains().size(), 1U); },
           [&] { EXPECT_NE(run->get_chain(0), nullptr); }, [&] { EXPECT_EQ(run->get_chain(1), nullptr); },
           [&] { EXPECT_EQ(chain->length(), 2U); }, [&] { EXPECT_FALSE(backend->list_runs().runs.empty()); },
           [&] { EXPECT_EQ(chain->get_draws("x").to_vector<double>(), (std::vector<double>{0, 1})); },
           [&] { EXPECT_EQ(chain->get_draws_at(-1).size(), 2U); },
           [&] { EXPECT_TRUE(backend->delete_run(meta.rid)); }}) {
    plan();
    call();
    EXPECT_GE(server->seen().size(), 5U);
  }
}

TEST_F(Failures, AnAnswerWithoutAnEndIsNotBelieved) {
  const auto chain = new_chain("unframed");
  append_small(*chain, 0);
  chain->flush();
  server->plan("unframed", 2, "GET", "/draws");
  EXPECT_EQ(chain->get_draws("x").to_vector<double>(), std::vector<double>{0});
  EXPECT_EQ(server->seen("GET", "/draws").size(), 3U);
}

TEST_F(Failures, LengthsThatAreNoneTakeNoMemory) {
  const auto chain = new_chain("vast");
  const auto read = [&](const char* length) {
    server->plan("draws of x", 4, "GET", "/draws");
    server->plan("forbidden", 1, "GET", "/draws");
    server->plan(length, 1, "GET", "/chains/0");
    return error_of([&] { chain->get_draws("x"); }).code();
  };
  EXPECT_EQ(read("length of 2^61"), "invalid_answer");
  EXPECT_EQ(server->seen("GET", "/draws").size(), 0U);
  server->reset();
  EXPECT_EQ(read("length of 2^45"), "forbidden");
  EXPECT_EQ(server->seen("GET", "/draws").size(), 5U);
}

TEST_F(Failures, RetryAfterIsHeeded) {
  for (const auto* fault : {"later by seconds", "later by date"}) {
    const auto chain = new_chain("later");
    server->plan(fault, 1, "POST");
    append_small(*chain, 0);
    chain->flush();
    const auto posts = server->seen("POST", "/draws");
    ASSERT_EQ(posts.size(), 2U);
    EXPECT_GE(posts[1].at_ms - posts[0].at_ms, 900) << fault;  // dates have seconds
    server->reset();
  }
}

TEST_F(Failures, RetryAfterBeyondTheLimitIsTheEnd) {
  const auto chain = new_chain("much-later");
  server->plan("much later", 1, "POST");
  append_small(*chain, 0);
  const auto error = error_of([&] { chain->flush(); });
  EXPECT_EQ(error.status(), 503);
  EXPECT_EQ(server->seen("POST", "/draws").size(), 1U);
}

TEST_F(Failures, OtherErrorsAreTheEndAtOnce) {
  for (const auto& [fault, code] : {std::pair{"defect", "internal_error"}, std::pair{"forbidden", "forbidden"}}) {
    const auto chain = new_chain("refused");
    server->plan(fault, 1, "POST");
    append_small(*chain, 0);
    append_small(*chain, 1);
    EXPECT_EQ(error_of([&] { chain->flush(); }).code(), code);
    const auto error = error_of([&] { append_small(*chain, 2); });
    EXPECT_EQ(error.code(), code);
    EXPECT_NE(std::string(error.what()).find("2 draws of chain 0 of run " + meta.rid + " from index 0 on"),
              std::string::npos)
        << error.what();
    const auto status = writer_status(*chain);
    EXPECT_EQ(status.acknowledged, 0U);
    EXPECT_EQ(status.appended, 2U);
    EXPECT_GT(status.waiting_bytes, 0U);
    ASSERT_TRUE(status.failure);
    EXPECT_EQ(error_of([&] { chain->get_draws("x"); }).code(), code);
    resume(*chain);
    append_small(*chain, 2);
    expect_small(*chain, 3);
    server->reset();
  }
}

TEST_F(Failures, TheLimitOfRetries) {
  options.retry.limit = milliseconds(300);
  const auto chain = new_chain("limit");
  server->plan("page", 1'000'000, "POST");
  append_small(*chain, 0);
  const auto begin = steady_clock::now();
  const auto error = error_of([&] { chain->close(); });
  EXPECT_EQ(error.code(), "invalid_answer");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(250));
  EXPECT_GE(server->seen("POST", "/draws").size(), 3U);
  server->reset();
  resume(*chain);
  chain->close();
  expect_small(*chain, 1);

  options.retry.limit = milliseconds(0);
  server->reset();
  server->plan("cut");
  EXPECT_EQ(error_of([&] { http_backend(options)->get_run(meta.rid); }).code(), "transport");
  EXPECT_EQ(server->seen().size(), 1U);
}

TEST_F(Failures, NoServerAtAll) {
  options.url = "http://127.0.0.1:9";
  options.token = "mcb_secret";
  options.retry.limit = milliseconds(100);
  const auto error = error_of([&] { http_backend(options)->list_runs(); });
  EXPECT_EQ(error.code(), "transport");
  EXPECT_EQ(error.status(), 0);
  EXPECT_NE(std::string(error.what()).find("http://127.0.0.1:9/v1/runs"), std::string::npos);
  EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
}

TEST_F(Failures, AnAddressThatNeverAnsweredIsGivenUpSoon) {
  auto wrong = options;
  wrong.url = "http://127.0.0.1:9";
  wrong.retry.limit = milliseconds(30'000);
  wrong.retry.cap = milliseconds(500);
  const auto begin = steady_clock::now();
  const auto error = error_of([&] { http_backend(wrong)->list_runs(); });
  EXPECT_LT(steady_clock::now() - begin, milliseconds(15'000));
  EXPECT_NE(std::string(error.what()).find("nothing has answered there yet"), std::string::npos) << error.what();
}

TEST_F(Failures, ASilentServerIsGivenUpInTime) {
  options.retry.timeout = milliseconds(300);
  const auto chain = new_chain("silent");
  server->plan("silent", 2, "POST");
  append_small(*chain, 0);
  chain->flush();
  const auto posts = server->seen("POST", "/draws");
  ASSERT_EQ(posts.size(), 3U);
  EXPECT_GE(posts[1].at_ms - posts[0].at_ms, 250);
}

TEST_F(Failures, TwoWritersConflict) {
  const auto one = new_chain("conflict");
  const auto two = http_backend(options)->get_run(meta.rid)->get_chain(0);
  for (int i = 0; i < 3; ++i) append_small(*one, i);
  one->flush();
  for (int i = 0; i < 5; ++i) append_small(*two, 10 + i);
  const auto error = error_of([&] { two->flush(); });
  EXPECT_EQ(error.code(), "draw_conflict");
  EXPECT_EQ(error.status(), 409);
  EXPECT_EQ(error.length(), 3U);
  EXPECT_EQ(error_of([&] { append_small(*two, 15); }).code(), "draw_conflict");
  EXPECT_EQ(writer_status(*two).appended - writer_status(*two).acknowledged, 5U);
  expect_small(*one, 3);
  // The same draws from two writers are no conflict.
  const auto three = http_backend(options)->get_run(meta.rid)->get_chain(0);
  append_small(*three, 3);
  append_small(*one, 3);
  one->flush();
  three->flush();
  expect_small(*one, 4);
}

TEST_F(Failures, AGapIsTheEnd) {
  const auto chain = new_chain("gap");
  for (int i = 0; i < 3; ++i) append_small(*chain, i);
  chain->flush();
  server->plan("gap", 1, "POST");
  append_small(*chain, 3);
  const auto error = error_of([&] { chain->flush(); });
  EXPECT_EQ(error.code(), "draw_gap");
  EXPECT_EQ(error.length(), 1U);
  EXPECT_NE(std::string(error.what()).find("lost draws that it had acknowledged"), std::string::npos);
}

TEST_F(Failures, ARunThatWasReplaced) {
  const auto chain = new_chain("replaced");
  append_small(*chain, 0);
  chain->flush();
  const auto backend = http_backend(options);
  ASSERT_TRUE(backend->delete_run(meta.rid));
  append_small(*chain, 1);
  EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "run_not_found");
  const auto next = backend->init_run(meta);
  EXPECT_TRUE(next->is_new());
  const auto next_chain = next->init_chain(0);
  resume(*chain);
  EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "run_replaced");
  EXPECT_EQ(error_of([&] { append_small(*chain, 2); }).code(), "run_replaced");
  EXPECT_EQ(next_chain->length(), 0U);
}

TEST_F(Failures, AppendNeverWaitsForTheNetwork) {
  const auto chain = new_chain("outage");
  std::atomic<int> outages{0}, recoveries{0};
  options.log = [&](const std::string& text) { (text == "the server answers again" ? recoveries : outages) += 1; };
  const auto other = http_backend(options)->get_run(meta.rid)->init_chain(0);
  server->plan("page", 20, "POST");
  const auto begin = steady_clock::now();
  for (int i = 0; i < 20'000; ++i) append_small(*other, i);
  const auto took = steady_clock::now() - begin;
  EXPECT_LT(took, milliseconds(2000));
  other->close();
  EXPECT_EQ(outages, 1);
  EXPECT_EQ(recoveries, 1);
  expect_small(*other, 20'000);
}

TEST_F(Failures, FullBuffersBlockOrFail) {
  options.flush.max_buffered = 4000;
  options.flush.interval = std::chrono::minutes(5);
  meta = small_meta("full");
  const auto run = http_backend(options)->init_run(meta);
  server->plan("slow", 1'000'000, "POST");
  const auto blocking = run->init_chain(0);
  const auto begin = steady_clock::now();
  for (int i = 0; i < 300; ++i) append_small(*blocking, i);  // 12 kB: two of three parts have to leave
  EXPECT_GE(steady_clock::now() - begin, milliseconds(500));
  EXPECT_LE(writer_status(*blocking).waiting_bytes, 4200U);
  expect_small(*blocking, 300);

  options.when_full = WhenFull::fail;
  const auto failing = http_backend(options)->get_run(meta.rid)->init_chain(1);
  int kept = 0, refused = 0;
  while (kept < 300) {
    try {
      append_small(*failing, kept);
      ++kept;
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), "buffer_full");
      ++refused;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  EXPECT_GT(refused, 10);
  expect_small(*failing, 300);
}

TEST_F(Failures, ASlowServerGetsLargerRequests) {
  options.flush.count = 10;
  options.flush.max_request = 8000;
  const auto chain = new_chain("slow");
  server->plan("slow", 3, "POST");
  for (int i = 0; i < 2000; ++i) append_small(*chain, i);
  chain->flush();
  const auto posts = server->seen("POST", "/draws");
  EXPECT_LE(posts.size(), 2000 * 40 / 8000 + 4);
  expect_small(*chain, 2000);
}

TEST_F(Failures, HandlesThatAreDroppedLoseNothing) {
  meta = small_meta("dropped");
  server->plan("slow", 4, "POST");
  {
    const auto run = http_backend(options)->init_run(meta);
    for (int round = 0; round < 5; ++round) {
      // Each handle begins behind the draws of the one before, which may be under way.
      const auto chain = run->init_chain(0);
      for (int i = 0; i < 20; ++i) append_small(*chain, 20 * round + i);
    }
  }
  const auto chain = http_backend(options)->get_run(meta.rid)->get_chain(0);
  EXPECT_EQ(chain->length(), 100U);
  expect_small(*chain, 100);
}

TEST_F(Failures, TheEndOfAllHandlesWaitsNoLongerThanOneAttempt) {
  options.retry.timeout = milliseconds(500);
  options.retry.limit = milliseconds(-1);
  std::string last;
  options.log = [&](const std::string& text) { last = text; };
  auto chain = new_chain("end");
  server->plan("page", 1'000'000, "POST");
  append_small(*chain, 0);
  const auto begin = steady_clock::now();
  chain.reset();
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(400));
  EXPECT_LT(took, milliseconds(5000));
  EXPECT_NE(last.find("draws are lost: "), std::string::npos) << last;
  EXPECT_NE(last.find("1 draws of chain 0 of run " + meta.rid), std::string::npos) << last;
}

TEST_F(Failures, TheLogMayHoldTheLastHandle) {
  std::shared_ptr<Chain> held;
  std::atomic<bool> is_over{false};
  options.log = [&](const std::string& text) {
    if (text.rfind("outage", 0) != 0) return;
    held.reset();
    is_over = true;
  };
  held = new_chain("held");
  server->plan("page", 3, "POST");
  append_small(*held, 0);
  while (!is_over) std::this_thread::sleep_for(milliseconds(5));
  for (int tries = 0; tries < 400; ++tries) {
    if (http_backend(quick(server->place("server")))->get_run(meta.rid)->get_chain(0)->length() == 1) return;
    std::this_thread::sleep_for(milliseconds(10));
  }
  FAIL() << "the draw did not arrive";
}

}  // namespace
}  // namespace mcbackend::test
