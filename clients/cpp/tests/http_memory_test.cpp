// Memory that runs out, in the thread that sends and in those that append: it is told, and no draw is lost, doubled or
// changed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <new>
#include <thread>

#include "support/test_server.hpp"

namespace {

enum class Who : int { nobody, caller, sender };

/// Threads whose memory is out.
std::atomic<Who> starved{Who::nobody};
/// Bytes from which on memory counts.
std::atomic<std::size_t> least{0};
/// Times that there is memory yet.
std::atomic<long> left{0};
/// True where memory stays out, false where one request of it fails.
std::atomic<bool> is_lasting{false};
std::atomic<long> failed{0};
thread_local bool is_caller = false;

bool is_out(std::size_t size) noexcept {
  const auto who = starved.load();
  if (who == Who::nobody || size < least || (who == Who::caller) != is_caller) return false;
  const auto before = left.fetch_sub(1);
  if (is_lasting ? before > 0 : before != 0) return false;
  ++failed;
  return true;
}

}  // namespace

// Called, and not inlined: compilers would see free() end what some operator new had begun.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = is_out(size) ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mcbackend::test {
namespace {

using std::chrono::milliseconds;

/// Starves threads while it lives.
class Starving {
 public:
  /// One request of memory fails, after `after` that do not.
  Starving(Who who, long after) : Starving(who, after, 0, false) {}
  /// All requests of so many bytes fail.
  static Starving lasting(Who who, std::size_t bytes = 0) { return {who, 0, bytes, true}; }
  Starving(const Starving&) = delete;
  Starving& operator=(const Starving&) = delete;
  ~Starving() { starved = Who::nobody; }
  static bool has_failed() { return failed > 0; }

 private:
  Starving(Who who, long after, std::size_t bytes, bool lasts) {
    left = after;
    least = bytes;
    is_lasting = lasts;
    failed = 0;
    starved = who;
  }
};

class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    MCB_NEEDS_SERVER();
    is_caller = true;
    server = &TestServer::shared();
    options = quick(server->place("proxy"));
    options.flush.interval = std::chrono::minutes(5);
    options.log = [](const std::string&) {};
  }
  std::shared_ptr<mcbackend::Run> new_run(const std::string& name) {
    return http_backend(options)->init_run(small_meta(name));
  }
  /// Flushes until that succeeds.
  static void flush(Chain& chain) {
    for (int tries = 0; tries < 10; ++tries) {
      try {
        return chain.flush();
      } catch (const Error& e) {
        EXPECT_TRUE(e.code() == "transport" || e.code() == "internal_error") << e.what();
        resume(chain);
      }
    }
    FAIL() << "it cannot be flushed";
  }
  TestServer* server = nullptr;
  HttpOptions options;
};

struct Case {
  const char* name;
  const char* fault;
  int limit;
};

class OfTheSender : public Memory, public ::testing::WithParamInterface<Case> {};

TEST_P(OfTheSender, AnyMayBeOut) {
  const auto& [name, fault, limit] = GetParam();
  const auto run = new_run("sender");
  server->limit(limit);
  int number = 0;
  for (bool has_failed = true; has_failed; ++number) {
    const auto chain = run->init_chain(number);
    if (*fault != '\0') server->plan(fault, 1, "POST");
    {
      const Starving starving(Who::sender, number);
      for (int i = 0; i < 8; ++i) append_small(*chain, i, number);
      flush(*chain);
      has_failed = Starving::has_failed();
    }
    EXPECT_EQ(writer_status(*chain).waiting_bytes, 0U);
    expect_small(*chain, 8, number);
  }
  EXPECT_GE(number, 10);
}

INSTANTIATE_TEST_SUITE_P(Cases, OfTheSender,
                         ::testing::Values(Case{"plain", "", 1'000'000}, Case{"outage", "page", 1'000'000},
                                           Case{"refused", "defect", 1'000'000}, Case{"halves", "", 250}),
                         [](const auto& test) { return test.param.name; });

TEST_F(Memory, FactsWaitForNoMemory) {
  const auto run = new_run("facts");
  int number = 0;
  for (bool has_failed = true; has_failed; ++number) {
    const auto chain = run->init_chain(number);
    ChainFacts facts;
    facts.seed = 5;
    facts.inverse_metric = {1, 2, 3};
    {
      const Starving starving(Who::sender, number);
      chain->set_facts(facts);
      append_small(*chain, 0, number);
      flush(*chain);
      has_failed = Starving::has_failed();
    }
    const auto seed = chain->facts().seed;
    EXPECT_TRUE(has_failed || seed == 5U);
    expect_small(*chain, 1, number);
  }
  EXPECT_GE(number, 10);
}

TEST_F(Memory, ARequestThatCannotBeMadeIsTold) {
  auto meta = small_meta("request");
  meta.variables = {{"w", DType::float64, {100'000}}};
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  const std::vector<double> w(100'000, 0.5);
  {
    const auto starving = Starving::lasting(Who::sender, 500'000);
    chain->append({{"w", w}});
    const auto error = error_of([&] { chain->flush(); });
    EXPECT_EQ(error.code(), "transport");
    EXPECT_NE(std::string(error.what()).find("1 draws of chain 0"), std::string::npos) << error.what();
    EXPECT_GE(writer_status(*chain).waiting_bytes, 800'000U);
  }
  EXPECT_TRUE(server->seen("POST", "/draws").empty());
  resume(*chain);
  chain->flush();
  EXPECT_EQ(chain->get_draws_at(0).at("w"), NdArray::of(w));
}

TEST_F(Memory, WithoutAnyItIsToldAllTheSame) {
  const auto chain = new_run("none")->init_chain(0);
  append_small(*chain, 0);
  chain->flush();
  {
    const auto starving = Starving::lasting(Who::sender);
    append_small(*chain, 1);
    EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "transport");
  }
  resume(*chain);
  append_small(*chain, 2);
  expect_small(*chain, 3);
}

TEST_F(Memory, AnAnswerThatCannotBeReadIsAskedForAgain) {
  const auto chain = new_run("answer")->init_chain(0);
  server->plan("large json", 1, "POST");
  for (int i = 0; i < 50; ++i) append_small(*chain, i);
  {
    const auto starving = Starving::lasting(Who::sender, std::size_t{1} << 20);
    chain->flush();
    EXPECT_TRUE(Starving::has_failed());
  }
  EXPECT_EQ(server->seen("POST", "/draws").size(), 2U);
  expect_small(*chain, 50);
}

TEST_F(Memory, TheEndOfABackendNeedsNone) {
  options.flush.interval = milliseconds(0);
  options.retry.timeout = milliseconds(300);
  options.retry.limit = milliseconds(-1);
  server->plan("page", 1'000'000, "POST");
  auto chain = new_run("end")->init_chain(0);
  append_small(*chain, 0);
  while (server->seen("POST", "/draws").empty()) std::this_thread::sleep_for(milliseconds(5));
  const auto starving = Starving::lasting(Who::sender);
  chain.reset();
}

TEST_F(Memory, AnAppendThatThrowsKeepsNothing) {
  options.flush.max_request = 200;  // several draws a batch
  const auto chain = new_run("append")->init_chain(0);
  const int draws = 500;
  int thrown = 0;
  for (int i = 0; i < draws; ++i) {
    for (long after = 0;; ++after) {
      const Starving starving(Who::caller, after);
      try {
        append_small(*chain, i);
        break;
      } catch (const std::bad_alloc&) {
        ++thrown;
      }
    }
    EXPECT_EQ(writer_status(*chain).appended, static_cast<std::uint64_t>(i) + 1);
  }
  EXPECT_GE(thrown, draws);
  chain->close();
  expect_small(*chain, draws);
}

TEST_F(Memory, FactsThatCannotBeTakenHoldNothingUp) {
  const auto run = new_run("caller-facts");
  ChainFacts facts;
  facts.seed = 5;
  facts.inverse_metric = {1, 2, 3};
  int number = 0;
  for (bool has_thrown = true; has_thrown; ++number) {
    const auto chain = run->init_chain(number);
    {
      const Starving starving(Who::caller, number);
      try {
        chain->set_facts(facts);
        has_thrown = false;
      } catch (const std::bad_alloc&) {
        has_thrown = true;
      }
    }
    chain->flush();
    append_small(*chain, 0, number);
    expect_small(*chain, 1, number);
    EXPECT_EQ(chain->facts().seed, has_thrown ? std::optional<std::uint64_t>() : facts.seed);
  }
  EXPECT_GE(number, 3);
}

TEST_F(Memory, ABatchThatThrowsMayComeAgain) {
  options.flush.max_request = 500;
  const auto chain = new_run("batch")->init_chain(0);
  std::vector<double> x, v, lp;
  for (int i = 0; i < 40; ++i) {
    x.push_back(i);
    lp.push_back(-i);
    v.insert(v.end(), {static_cast<double>(i), 0, -0.0});
  }
  lp[0] = -0.0;
  DrawBatch batch;
  batch.start = 0;
  batch.count = 40;
  batch.draws = {{"x", NdArray::of(x)}, {"v", NdArray::of({40, 3}, v)}};
  batch.stats = {{"lp", NdArray::of(lp)}};
  int thrown = 0;
  std::uint64_t length = 0;
  long after = 0;
  for (bool has_failed = true; has_failed; ++after) {
    const Starving starving(Who::caller, after);
    try {
      length = chain->append_batch(batch);
      EXPECT_EQ(length, 40U);
    } catch (const std::bad_alloc&) {
      ++thrown;
    }
    EXPECT_EQ(writer_status(*chain).appended, length);  // also where parts of the batch are stored
    has_failed = Starving::has_failed();
  }
  EXPECT_GE(thrown, 50);
  expect_small(*chain, 40);
}

TEST_F(Memory, BuffersAreUsedAgain) {
  auto meta = small_meta("again");
  meta.variables = {{"w", DType::float64, {10'000}}};
  options.flush.max_request = std::size_t{1} << 20;
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  const std::vector<double> w(10'000, 0.5);
  const auto full = options.flush.max_request / (w.size() * sizeof(double));
  const auto cycle = [&] {
    server->plan("slow", 1, "POST");
    for (std::size_t i = 0; i < full; ++i) chain->append({{"w", w}});
    // Under way: its buffer is emptied, and another one fills and is sealed behind it, and yet another one begins.
    while (server->seen("POST", "/draws").empty()) std::this_thread::sleep_for(milliseconds(5));
    for (std::size_t i = 0; i < 2 * full; ++i) chain->append({{"w", w}});
    chain->flush();
  };
  cycle();
  server->reset();
  const Starving counting(Who::caller, std::numeric_limits<long>::max());
  least = 50'000;
  cycle();
  EXPECT_EQ(left, std::numeric_limits<long>::max());
}

}  // namespace
}  // namespace mcbackend::test
