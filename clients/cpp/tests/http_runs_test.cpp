// Runs and chains of a server: registration, lists, deletion, batches, facts, keys.
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "support/test_server.hpp"

namespace mcbackend::test {
namespace {

class Runs : public ::testing::Test {
 protected:
  void SetUp() override {
    MCB_NEEDS_SERVER();
    server = &TestServer::shared();
    backend = http_backend(quick(server->place("proxy")));
  }
  TestServer* server = nullptr;
  std::shared_ptr<Backend> backend;
};

DrawBatch batch_of(int first, std::uint32_t count, std::optional<std::uint64_t> start = {}) {
  std::vector<double> x, v;
  for (int i = first; i < first + static_cast<int>(count); ++i) {
    x.push_back(i);
    v.insert(v.end(), {static_cast<double>(i), 0, -0.0});
  }
  DrawBatch batch;
  batch.start = start;
  batch.count = count;
  batch.draws = {{"v", NdArray::of({static_cast<std::int64_t>(count), 3}, v)}, {"x", NdArray::of(x)}};
  for (auto& each : x) each = -each;
  batch.stats = {{"lp", NdArray::of(x)}};
  return batch;
}

TEST_F(Runs, RegisteredOnceAndFoundAgain) {
  auto meta = small_meta("runs");
  meta.coordinates = {{"k", std::vector<std::string>{"a", "b", "c"}}};
  meta.attributes["seed"] = 3.0;
  const auto run = backend->init_run(meta);
  EXPECT_TRUE(run->is_new());
  const auto again = backend->init_run(meta);
  EXPECT_FALSE(again->is_new());
  EXPECT_EQ(run->registration(), again->registration());
  EXPECT_FALSE(run->registration().empty());
  auto other = meta;
  other.variables.pop_back();
  EXPECT_EQ(error_of([&] { backend->init_run(other); }).code(), "run_conflict");
  const auto found = backend->get_run(meta.rid);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->registration(), run->registration());
  EXPECT_EQ(found->meta_bytes(), run->meta_bytes());
  EXPECT_EQ(found->coords().at("k").strings, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(backend->get_run("no-such-run"), nullptr);
  EXPECT_EQ(backend->get_run("no such id"), nullptr);
}

TEST_F(Runs, WithoutAnIdOneIsMade) {
  auto meta = small_meta("x");
  meta.rid.clear();
  const auto one = backend->init_run(meta);
  const auto two = backend->init_run(meta);
  EXPECT_EQ(one->rid().size(), 32U);
  EXPECT_NE(one->rid(), two->rid());
  EXPECT_TRUE(one->is_new() && two->is_new());
  meta.rid = "a/b";
  EXPECT_EQ(error_of([&] { backend->init_run(meta); }).code(), "invalid_parameter");
  EXPECT_EQ(error_of([&] { backend->init_run_bytes(""); }).code(), "invalid_parameter");
}

TEST_F(Runs, FieldsOfANewerSchemaSurvive) {
  const auto meta = small_meta("newer");
  const auto bytes = encode_meta(meta) + std::string("\xFA\x07\x03new", 6);  // field 127
  const auto run = backend->init_run_bytes(bytes);
  EXPECT_EQ(run->meta_bytes(), bytes);
  EXPECT_EQ(backend->get_run(meta.rid)->meta_bytes(), bytes);
}

TEST_F(Runs, ListedAndDeleted) {
  const auto meta = small_meta("listed");
  const auto run = backend->init_run(meta);
  const auto chain = run->init_chain(0);
  for (int i = 0; i < 5; ++i) append_small(*chain, i);
  chain->close();
  RunQuery query;
  query.q = meta.rid;
  RunPage page;
  for (int tries = 0; tries < 40; ++tries) {  // draws may be late by 2 s
    page = backend->list_runs(query);
    if (!page.runs.empty() && page.runs[0].draws == 5) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_EQ(page.runs.size(), 1U);
  EXPECT_EQ(page.runs[0].rid, meta.rid);
  EXPECT_EQ(page.runs[0].variables, 2U);
  EXPECT_EQ(page.runs[0].chains, 1U);
  EXPECT_EQ(page.runs[0].draws, 5U);
  EXPECT_TRUE(page.next_cursor.empty());
  query = {};
  query.limit = 1;
  const auto first = backend->list_runs(query);
  ASSERT_EQ(first.runs.size(), 1U);
  query.limit = 1001;
  EXPECT_EQ(error_of([&] { backend->list_runs(query); }).code(), "invalid_parameter");
  // A lost answer: the run is gone when the request comes again.
  server->plan("lost", 1, "DELETE");
  EXPECT_TRUE(backend->delete_run(meta.rid));
  EXPECT_FALSE(backend->delete_run(meta.rid));
  EXPECT_EQ(backend->get_run(meta.rid), nullptr);
}

TEST_F(Runs, ChainsByNumber) {
  const auto run = backend->init_run(small_meta("chains"));
  EXPECT_EQ(run->get_chain(3), nullptr);
  for (const int number : {2147483647, 10, 0, 9}) EXPECT_TRUE(run->init_chain(number, true)->is_new());
  EXPECT_FALSE(run->init_chain(10)->is_new());
  const auto refused = error_of([&] { run->init_chain(10, true); });
  EXPECT_EQ(refused.code(), "chain_exists");
  EXPECT_EQ(refused.status(), 412);
  EXPECT_EQ(error_of([&] { run->init_chain(-1); }).code(), "invalid_parameter");
  std::vector<std::int32_t> numbers;
  for (const auto& chain : run->get_chains()) numbers.push_back(chain->number());
  EXPECT_EQ(numbers, (std::vector<std::int32_t>{0, 9, 10, 2147483647}));
}

TEST_F(Runs, BatchesByTheAppendTable) {
  const auto meta = small_meta("batches");
  const auto chain = backend->init_run(meta)->init_chain(0);
  EXPECT_EQ(chain->append_batch(batch_of(0, 3)), 3U);
  append_small(*chain, 3);
  EXPECT_EQ(chain->append_batch(batch_of(4, 2)), 6U);
  EXPECT_EQ(chain->append_batch(batch_of(0, 4, 0)), 6U);
  EXPECT_EQ(chain->append_batch(batch_of(5, 3, 5)), 8U);
  const auto gap = error_of([&] { chain->append_batch(batch_of(10, 1, 10)); });
  EXPECT_EQ(gap.code(), "draw_gap");
  EXPECT_EQ(gap.status(), 409);
  EXPECT_EQ(gap.length(), 8U);
  const auto conflict = error_of([&] { chain->append_batch(batch_of(9, 1, 2)); });
  EXPECT_EQ(conflict.code(), "draw_conflict");
  EXPECT_EQ(conflict.length(), 8U);
  append_small(*chain, 8);  // a refused batch leaves the handle as it was
  expect_small(*chain, 9);
  auto batch = batch_of(9, 2);
  batch.draws.pop_back();
  EXPECT_EQ(error_of([&] { chain->append_batch(batch); }).code(), "missing_variable");
  EXPECT_EQ(error_of([&] { chain->append_batch(batch_of(9, 0)); }).code(), "empty_batch");
  EXPECT_EQ(chain->length(), 9U);
}

TEST_F(Runs, LargeBatchesAreSeveralRequests) {
  auto options = quick(server->place("proxy"));
  options.flush.max_request = 10'000;
  const auto meta = small_meta("large");
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  server->plan("lost", 2, "POST");
  EXPECT_EQ(chain->append_batch(batch_of(0, 2000)), 2000U);
  EXPECT_GE(server->seen("POST", "/draws").size(), 2000 * 40 / 10'000);
  expect_small(*chain, 2000);
}

TEST_F(Runs, FactsOfChainsAreMerged) {
  const auto run = backend->init_run(small_meta("facts"));
  const auto chain = run->init_chain(2);
  ChainFacts facts;
  facts.seed = 18'446'744'073'709'551'615U;
  chain->set_facts(facts);
  append_small(*chain, 0);
  ChainFacts late;
  late.step_size = 0.1;
  late.inverse_metric = {1, 2.5, 1e-300};
  chain->set_facts(late);
  const auto other = run->init_chain(3);
  ChainFacts small;
  small.seed = 5;
  other->set_facts(small);
  other->close();
  chain->close();
  const auto found = run->get_chain(2)->facts();
  EXPECT_EQ(found.seed, facts.seed);
  EXPECT_EQ(found.step_size, late.step_size);
  EXPECT_EQ(found.inverse_metric, late.inverse_metric);
  EXPECT_EQ(run->get_chain(3)->facts().seed, 5U);
  EXPECT_FALSE(run->init_chain(4)->facts().seed);
}

TEST_F(Runs, AServerWithoutFactsTakesDraws) {
  const auto chain = backend->init_run(small_meta("older"))->init_chain(0);
  server->plan("no about", 9, "PATCH");
  server->plan("no about", 9, "GET", "/about");
  ChainFacts facts;
  facts.seed = 5;
  chain->set_facts(facts);
  append_small(*chain, 0);
  chain->flush();
  EXPECT_FALSE(chain->facts().seed);
  expect_small(*chain, 1);
}

TEST_F(Runs, RefusedFactsHoldNoDrawsUp) {
  const auto chain = backend->init_run(small_meta("refused"))->init_chain(0);
  server->plan("forbidden", 1, "PATCH");
  ChainFacts facts;
  facts.seed = 5;
  chain->set_facts(facts);
  for (int i = 0; i < 10; ++i) append_small(*chain, i);
  EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "forbidden");
  chain->set_facts(facts);
  chain->close();
  expect_small(*chain, 10);
  EXPECT_EQ(chain->facts().seed, 5U);
}

TEST_F(Runs, RefusedFactsAreToldOnce) {
  ChainFacts facts;
  facts.seed = 5;
  auto options = quick(server->place("proxy"));
  std::string last;
  options.log = [&](const std::string& text) { last = text; };
  const auto run = http_backend(options)->init_run(small_meta("refused-once"));
  const auto refused = [&](int number) {
    auto chain = run->init_chain(number);
    server->plan("too many facts", 1, "PATCH");
    chain->set_facts(facts);
    append_small(*chain, 0);
    return chain;
  };
  auto chain = refused(0);
  expect_small(*chain, 1);  // reads are of draws
  EXPECT_EQ(chain->length(), 1U);
  EXPECT_EQ(error_of([&] { chain->close(); }).code(), "invalid_about");
  chain->close();
  EXPECT_EQ(error_of([&] { append_small(*chain, 1); }).code(), "closed");
  chain = refused(1);
  EXPECT_EQ(error_of([&] { chain->flush(); }).code(), "invalid_about");
  chain->flush();
  append_small(*chain, 1);
  chain->close();
  chain = refused(2);
  chain.reset();
  EXPECT_EQ(run->get_chain(2)->length(), 1U);
  for (int tries = 0; tries < 400 && last.empty(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(last.rfind("facts are lost: invalid_about: facts of chain 2", 0), 0U) << last;
}

TEST_F(Runs, ADenseMetricIsASquareOrRefused) {
  const auto chain = backend->init_run(small_meta("dense"))->init_chain(0);
  ChainFacts facts;
  facts.is_dense = true;
  facts.inverse_metric = {1, 0.5, 0.5};
  EXPECT_EQ(error_of([&] { chain->set_facts(facts); }).code(), "invalid_parameter");
  chain->close();  // nothing of it is kept
  EXPECT_TRUE(server->seen("PATCH", "/about").empty());
}

TEST_F(Runs, FactsThatSomebodyElseAcknowledgesAreSentAgain) {
  const auto chain = backend->init_run(small_meta("other-json"))->init_chain(0);
  server->plan("other json", 1, "PATCH");
  ChainFacts facts;
  facts.seed = 5;
  chain->set_facts(facts);
  EXPECT_EQ(chain->facts().seed, 5U);
}

TEST_F(Runs, NoChainHasTheGreatestIndex) {
  const auto chain = backend->init_run(small_meta("index"))->init_chain(0);
  append_small(*chain, 0);
  for (const auto index : {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    EXPECT_EQ(error_of([&] { chain->get_draws_at(index); }).code(), "invalid_slice");
}

TEST_F(Runs, AClosedHandleReadsOn) {
  const auto chain = backend->init_run(small_meta("closed"))->init_chain(0);
  append_small(*chain, 0);
  chain->close();
  chain->close();
  EXPECT_EQ(error_of([&] { append_small(*chain, 1); }).code(), "closed");
  EXPECT_EQ(error_of([&] { chain->append_batch(batch_of(1, 1)); }).code(), "closed");
  expect_small(*chain, 1);
}

}  // namespace
}  // namespace mcbackend::test
