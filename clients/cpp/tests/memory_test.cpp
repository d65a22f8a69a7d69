// The backend in memory keeps to the protocol: the append table, slices, deletion, lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <mcbackend/mcbackend.hpp>
#include <string>
#include <thread>
#include <vector>

#include "golden.hpp"
#include "random_draws.hpp"
#include "registration.hpp"
#include "slices.hpp"

namespace mcbackend::test {
namespace {

DrawBatch scalars(std::optional<std::uint64_t> start, const std::vector<double>& values) {
  return {start, static_cast<std::uint32_t>(values.size()), {{"x", NdArray::of(values)}}, {}};
}

RunMeta x_and_lp() {
  RunMeta meta;
  meta.variables = {{"x"}};
  meta.sample_stats = {{"lp"}};
  return meta;
}

std::shared_ptr<Chain> new_chain(const RunMeta& meta = x_and_lp()) {
  return memory_backend()->init_run(meta)->init_chain(0);
}

std::optional<std::uint64_t> length_in_error(const std::function<void()>& action, const std::string& code) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.length();
  }
  ADD_FAILURE() << "no " << code;
  return {};
}

TEST(Memory, AppendTable) {
  const auto chain = new_chain();
  EXPECT_EQ(chain->append_batch(scalars(0, {0, 1, 2})), 3U);
  EXPECT_EQ(chain->append_batch(scalars(3, {3, 4})), 5U);
  for (const auto& again :
       {scalars(0, {0, 1, 2}), scalars(0, {0, 1, 2, 3, 4}), scalars(1, {1, 2, 3}), scalars(4, {4})}) {
    EXPECT_EQ(chain->append_batch(again), 5U);
  }
  for (const auto& other : {scalars(0, {9}), scalars(0, {0, 1, 9}), scalars(4, {9, 5}), scalars(0, {-0.0})}) {
    EXPECT_EQ(length_in_error([&] { chain->append_batch(other); }, "draw_conflict"), 5U);
  }
  EXPECT_EQ(length_in_error([&] { chain->append_batch(scalars(6, {6})); }, "draw_gap"), 5U);
  EXPECT_EQ(chain->append_batch(scalars(4, {4, 5, 6})), 7U);
  EXPECT_EQ(chain->get_draws("x"), NdArray::of(std::vector<double>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(code_of([&] { chain->append_batch(scalars(7, {})); }), "empty_batch");
}

TEST(Memory, AppendsOfAHandleAreNumberedByIt) {
  const auto backend = memory_backend();
  const auto run = backend->init_run(x_and_lp());
  const auto first = run->init_chain(0);
  const auto second = run->init_chain(0);
  EXPECT_TRUE(first->is_new());
  EXPECT_FALSE(second->is_new());
  first->append({{"x", 1.0}});
  second->append({{"x", 1.0}});
  EXPECT_EQ(first->length(), 1U);
  first->append({{"x", 2.0}});
  EXPECT_EQ(code_of([&] { second->append({{"x", 3.0}}); }), "draw_conflict");
  EXPECT_EQ(run->init_chain(0)->append_batch(scalars({}, {5})), 3U);
}

TEST(Memory, KeepsEverythingThatIsAppended) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  const auto single = new_chain(meta);
  const auto batched = new_chain(meta);
  RandomDraws draws(5);
  Rows rows;
  Rows stats;
  for (int i = 0; i < 30; ++i) {
    rows.push_back(draws.row(meta.variables));
    stats.push_back(draws.row(meta.sample_stats));
    single->append(named(meta.variables, rows.back()), named(meta.sample_stats, stats.back()));
  }
  const auto batch = batch_of(meta, *schema, rows, stats);
  EXPECT_EQ(batched->append_batch(batch), 30U);
  EXPECT_EQ(batched->append_batch(batch), 60U);
  auto again = batch;
  again.start = 0;
  EXPECT_EQ(single->append_batch(again), 30U);
  for (std::size_t c = 0; c < meta.variables.size(); ++c) {
    const auto& name = meta.variables[c].name;
    const auto list = single->get_draws_list(name);
    const auto stat_list = single->get_stats_list(name, {0, 30, {}});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(list[i], rows[i][c]) << name;
      EXPECT_EQ(stat_list[i], stats[i][c]) << name;
      EXPECT_EQ(single->get_draws_at(static_cast<std::int64_t>(i)).at(name), rows[i][c]);
    }
    EXPECT_EQ(batched->get_draws_list(name, {0, 30, {}}), list);
    EXPECT_EQ(batched->get_draws_list(name, {30, {}, {}}), list);
    if (schema->draws()[c].is_rigid) {
      EXPECT_EQ(single->get_draws(name), batch.draws[c].draws.array);
    } else {
      EXPECT_EQ(code_of([&] { single->get_draws(name); }), "shape_mismatch");
    }
  }
}

TEST(Memory, EveryDifferenceOfABitIsAConflict) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  const auto chain = new_chain(meta);
  RandomDraws draws(6);
  Rows rows;
  Rows stats;
  for (int i = 0; i < 5; ++i) {
    rows.push_back(draws.row(meta.variables));
    stats.push_back(draws.row(meta.sample_stats));
  }
  chain->append_batch(batch_of(meta, *schema, rows, stats));
  const auto spoil = [](NdArray& array) {
    if (array.size() == 0) return false;
    if (array.dtype == DType::str) {
      array.strings.back() += "x";
    } else {
      array.bytes.back() ^= std::byte{1};
    }
    return true;
  };
  for (std::size_t c = 0; c < meta.variables.size(); ++c) {
    for (auto* side : {&rows, &stats}) {
      const auto before = *side;
      const bool is_other = spoil((*side)[3][c]);
      auto batch = batch_of(meta, *schema, rows, stats);
      batch.start = 0;
      EXPECT_EQ(code_of([&] { chain->append_batch(batch); }), is_other ? "draw_conflict" : "")
          << meta.variables[c].name;
      *side = before;
    }
  }
}

TEST(Memory, AbsentStatsEqualTheirFill) {
  const auto chain = new_chain();
  chain->append({{"x", 1.0}});
  chain->append({{"x", 2.0}}, {{"lp", -1.5}});
  chain->append({{"x", 3.0}});
  const double nan = *schema_of(x_and_lp())->find_stat("lp")->fill().data<double>();
  EXPECT_EQ(chain->get_stats("lp"), NdArray::of(std::vector<double>{nan, -1.5, nan}));
  DrawBatch given = scalars(0, {1.0});
  given.stats = {{"lp", NdArray::of(std::vector<double>{nan})}};
  EXPECT_EQ(chain->append_batch(given), 3U);
  EXPECT_EQ(chain->append_batch(scalars(2, {3.0})), 3U);
  EXPECT_EQ(code_of([&] { chain->append_batch(scalars(1, {2.0})); }), "draw_conflict");
}

TEST(Memory, ReadsAsPythonSlices) {
  const auto chain = new_chain();
  for (int i = 0; i < 10; ++i) chain->append({{"x", static_cast<double>(i)}});
  const auto read = [&](const Slice& slice) { return chain->get_draws("x", slice).to_vector<double>(); };
  EXPECT_EQ(read({-3, {}, {}}), (std::vector<double>{7, 8, 9}));
  EXPECT_EQ(read({{}, {}, -4}), (std::vector<double>{9, 5, 1}));
  EXPECT_EQ(read({100, -200, -3}), (std::vector<double>{9, 6, 3, 0}));
  EXPECT_EQ(chain->get_draws("x", {5, 5, {}}).shape, Shape{0});
  EXPECT_EQ(code_of([&] { read({{}, {}, 0}); }), "invalid_slice");
  EXPECT_EQ(code_of([&] { chain->get_draws("lp"); }), "unknown_variable");
  EXPECT_EQ(chain->get_draws_at(-1).at("x"), NdArray::of({}, std::vector<double>{9}));
  EXPECT_EQ(code_of([&] { chain->get_draws_at(10); }), "invalid_slice");
  EXPECT_EQ(code_of([&] { chain->get_draws_at(-11); }), "invalid_slice");
  EXPECT_EQ(code_of([&] { chain->get_draws_at(0, {"y"}); }), "unknown_variable");
}

std::optional<std::int64_t> clamped(const json::Value& value) {
  if (value.is_null()) return {};
  const auto& text = *value.text();
  try {
    return std::stoll(text);
  } catch (const std::out_of_range&) {
    return text.front() == '-' ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
}

TEST(Slices, AreThoseOfPython) {
  const auto golden = read_json(golden_folder() / "slices.json");
  const auto& rows = *at(golden, "rows").list();
  ASSERT_GT(rows.size(), 1000U);
  for (const auto& row : rows) {
    const auto& cells = *row.list();
    const Slice slice{clamped(cells[1]), clamped(cells[2]), clamped(cells[3])};
    const auto resolved = resolve(slice, cells[0].natural().value());
    EXPECT_EQ(resolved.first, cells[4].natural()) << dump(row);
    EXPECT_EQ(resolved.count, cells[5].natural()) << dump(row);
    EXPECT_EQ(std::to_string(resolved.step), *cells[6].text()) << dump(row);
  }
}

TEST(Memory, RegistersARunOnce) {
  const auto backend = memory_backend();
  auto meta = x_and_lp();
  meta.rid = "r";
  const auto first = backend->init_run(meta);
  const auto again = backend->init_run(meta);
  EXPECT_TRUE(first->is_new());
  EXPECT_FALSE(again->is_new());
  EXPECT_EQ(first->registration(), again->registration());
  EXPECT_EQ(backend->get_run("r")->registration(), first->registration());
  EXPECT_EQ(backend->get_run("R"), nullptr);
  meta.variables[0].dtype = DType::float32;
  EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "run_conflict");
  EXPECT_TRUE(is_run_id(backend->init_run(x_and_lp())->rid()));
  for (const char* rid : {"a/b", "a b", "ä", ".", ".."}) {
    meta.rid = rid;
    EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "invalid_parameter") << rid;
  }
  EXPECT_EQ(code_of([&] { backend->init_run_bytes(encode_meta(x_and_lp())); }), "invalid_parameter");
}

TEST(Memory, EqualMessagesAreTheSameRun) {
  const auto backend = memory_backend();
  const auto bytes = golden_bytes("runmeta", "eight-schools");
  const auto run = backend->init_run_bytes(bytes);
  EXPECT_EQ(run->meta_bytes(), bytes);
  EXPECT_FALSE(backend->init_run_bytes(golden_bytes("runmeta", "eight-schools-reordered"))->is_new());
  // Fields of a later schema, and the layout in the writer's memory, are parts of the message.
  EXPECT_EQ(code_of([&] { backend->init_run_bytes(golden_bytes("runmeta", "later-schema")); }), "run_conflict");
  EXPECT_EQ(code_of([&] { backend->init_run(run->meta()); }), "run_conflict");
  EXPECT_FALSE(is_equal_meta(golden_bytes("runmeta", "attributes-nan-payload"),
                             golden_bytes("runmeta", "attributes-nan-negative")));
  for (const auto& name : golden_names("runmeta")) {
    const auto one = golden_bytes("runmeta", name);
    EXPECT_TRUE(is_equal_meta(one, one + std::string("\x0a\x01x", 3) +
                                       (decode_meta(one).rid.empty()
                                            ? "\x0a" + std::string(1, '\0')
                                            : "\x0a" + std::string(1, static_cast<char>(decode_meta(one).rid.size())) +
                                                  decode_meta(one).rid)))
        << name;
    EXPECT_FALSE(is_equal_meta(one, one + "\x32\x03\x0a\x01z")) << name;
  }
}

TEST(Memory, RefusesMetadataThatJsonCannotExpress) {
  const auto backend = memory_backend();
  for (const auto& name : golden_names("refused")) {
    auto meta = decode_meta(golden_bytes("refused", name));
    meta.rid = "r";
    EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "invalid_run_meta") << name;
  }
  for (const auto& name : golden_names("runmeta")) {
    auto meta = decode_meta(golden_bytes("runmeta", name));
    meta.rid = random_id();
    EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "") << name;
  }
  MetaArray addresses;
  addresses.shape = {1};
  addresses.bytes.resize(8);
  for (const char* dtype : {"object", "|O", "O", ">O", "O8", "|O4", "object_", "[('a', '<f8'), ('b', 'O')]"}) {
    addresses.dtype = dtype;
    RunMeta meta;
    meta.coordinates = {{"c", addresses}};
    EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "unsupported_dtype") << dtype;
    meta.coordinates.clear();
    meta.attributes["a"] = addresses;
    EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "unsupported_dtype") << dtype;
  }
  addresses.dtype = "[('O', '<f8')]";
  RunMeta meta;
  meta.data = {{"d", addresses, {}, true}};
  EXPECT_EQ(code_of([&] { backend->init_run(meta); }), "");
}

TEST(Memory, HandlesOfADeletedRunDoNothing) {
  const auto backend = memory_backend();
  auto meta = x_and_lp();
  meta.rid = "r";
  const auto run = backend->init_run(meta);
  const auto chain = run->init_chain(0);
  chain->append({{"x", 1.0}});
  EXPECT_TRUE(backend->delete_run("r"));
  EXPECT_FALSE(backend->delete_run("r"));
  const auto next = backend->init_run(meta);
  EXPECT_TRUE(next->is_new());
  EXPECT_NE(next->registration(), run->registration());
  EXPECT_TRUE(next->get_chains().empty());
  const std::vector<std::function<void()>> actions{[&] { chain->append({{"x", 1.0}}); },
                                                   [&] { chain->append_batch(scalars({}, {1})); },
                                                   [&] { chain->length(); },
                                                   [&] { chain->flush(); },
                                                   [&] { chain->get_draws("x"); },
                                                   [&] { run->init_chain(1); },
                                                   [&] { run->get_chain(0); },
                                                   [&] { run->get_chains(); },
                                                   [&] { chain->set_facts({}); }};
  for (const auto& action : actions) EXPECT_EQ(code_of(action), "run_not_found");
  EXPECT_EQ(run->rid(), "r");
}

TEST(Memory, Chains) {
  const auto run = memory_backend()->init_run(x_and_lp());
  for (const std::int32_t number : {std::numeric_limits<std::int32_t>::max(), 10, 0, 9}) run->init_chain(number);
  std::vector<std::int32_t> numbers;
  for (const auto& chain : run->get_chains()) numbers.push_back(chain->number());
  EXPECT_EQ(numbers, (std::vector<std::int32_t>{0, 9, 10, std::numeric_limits<std::int32_t>::max()}));
  EXPECT_EQ(run->get_chain(1), nullptr);
  EXPECT_EQ(code_of([&] { run->init_chain(-1); }), "invalid_parameter");
  EXPECT_EQ(code_of([&] { run->init_chain(9, true); }), "chain_exists");
  EXPECT_TRUE(run->init_chain(8, true)->is_new());
  const auto chain = run->get_chain(8);
  chain->close();
  chain->close();
  EXPECT_EQ(code_of([&] { chain->append({{"x", 1.0}}); }), "closed");
  EXPECT_EQ(code_of([&] { chain->append_batch(scalars({}, {1})); }), "closed");
  EXPECT_EQ(chain->length(), 0U);
}

TEST(Memory, ListsTheLatestRunsFirst) {
  const auto backend = memory_backend();
  for (int i = 0; i < 25; ++i) {
    auto meta = x_and_lp();
    meta.rid = "Run-" + std::to_string(i);
    backend->init_run(meta)->init_chain(3)->append_batch(scalars({}, {1, 2}));
  }
  RunQuery query;
  query.limit = 10;
  std::vector<std::string> seen;
  do {
    const auto page = backend->list_runs(query);
    for (const auto& run : page.runs) seen.push_back(run.rid);
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty());
  ASSERT_EQ(seen.size(), 25U);
  for (int i = 0; i < 25; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], "Run-" + std::to_string(24 - i));
  RunQuery found;
  found.q = "rUn-2";
  EXPECT_EQ(backend->list_runs(found).runs.size(), 6U);
  const auto line = backend->list_runs().runs.front();
  EXPECT_EQ(line.variables, 1U);
  EXPECT_EQ(line.sample_stats, 1U);
  EXPECT_EQ(line.chains, 1U);
  EXPECT_EQ(line.draws, 2U);
  EXPECT_EQ(line.created_at.size(), std::string("2026-11-28T08:29:13.577Z").size());
  EXPECT_LE(line.created_at, line.updated_at);
  found.tags = {"paper"};
  EXPECT_TRUE(backend->list_runs(found).runs.empty());
  query.limit = 0;
  EXPECT_EQ(code_of([&] { backend->list_runs(query); }), "invalid_parameter");
  query.limit = 1;
  query.cursor = "x";
  EXPECT_EQ(code_of([&] { backend->list_runs(query); }), "invalid_parameter");
}

TEST(Memory, FactsAreAdded) {
  const auto chain = new_chain();
  ChainFacts facts;
  facts.seed = std::numeric_limits<std::uint64_t>::max();
  chain->set_facts(facts);
  facts = {};
  facts.step_size = 0.25;
  facts.inverse_metric = {1, 2};
  chain->set_facts(facts);
  EXPECT_EQ(chain->facts().seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(chain->facts().step_size, 0.25);
  EXPECT_EQ(chain->facts().inverse_metric, (std::vector<double>{1, 2}));
}

TEST(Memory, ChainsOfSeveralThreadsDoNotMix) {
  const auto run = memory_backend()->init_run(x_and_lp());
  std::vector<std::thread> threads;
  for (int c = 0; c < 4; ++c) {
    threads.emplace_back([&run, c] {
      const auto chain = run->init_chain(c);
      for (int i = 0; i < 2000; ++i) chain->append({{"x", c * 10000.0 + i}}, {{"lp", 1.0}});
    });
  }
  for (int i = 0; i < 50; ++i) {
    for (const auto& chain : run->get_chains()) {
      const auto length = chain->length();
      EXPECT_GE(chain->get_draws("x").size(), length);
    }
  }
  for (auto& thread : threads) thread.join();
  for (int c = 0; c < 4; ++c) {
    const auto draws = run->get_chain(c)->get_draws("x").to_vector<double>();
    ASSERT_EQ(draws.size(), 2000U);
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(draws[static_cast<std::size_t>(i)], c * 10000.0 + i);
  }
}

TEST(Run, TellsItsCoordinatesAndData) {
  RunMeta meta;
  meta.variables = {{"theta", DType::float64, {2}, {"school"}}, {"mu"}};
  const std::vector<std::string> schools{"Choate", "Ærø 😀"};
  meta.coordinates = {{"school", schools}, {"year", std::vector<std::int64_t>{1990, 1991}}};
  meta.data = {{"y", NdArray::of({2, 1}, std::vector<double>{1, 2}), {"school", "one"}, true},
               {"sigma", NdArray::of({}, std::vector<float>{2.5F}), {}, false}};
  const auto run = memory_backend()->init_run(meta);
  EXPECT_EQ(run->coords().at("school"), NdArray::of({2}, schools));
  EXPECT_EQ(run->coords().at("year"), NdArray::of(std::vector<std::int64_t>{1990, 1991}));
  EXPECT_EQ(run->dims().size(), 2U);
  EXPECT_EQ(run->dims().at("y"), (std::vector<std::string>{"school", "one"}));
  EXPECT_EQ(run->observed_data().at("y").shape, (Shape{2, 1}));
  EXPECT_EQ(*run->constant_data().at("sigma").data<float>(), 2.5F);
}

TEST(MetaArray, EveryByteOfABooleanBut0IsTrue) {
  MetaArray array;
  array.dtype = "|b1";
  array.shape = {3};
  array.bytes = {std::byte{0}, std::byte{1}, std::byte{0xFE}};
  const auto flags = array.to_array();
  EXPECT_EQ(flags.bytes, (std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{1}}));
  EXPECT_EQ(flags.to_vector<bool>(), (std::vector<bool>{false, true, true}));
}

TEST(MetaArray, RefusesWhatItCannotKeep) {
  EXPECT_EQ(code_of([] { MetaArray(std::vector<std::string>{std::string("a\0", 2)}); }), "invalid_run_meta");
  EXPECT_EQ(code_of([] { MetaArray(std::vector<std::string>{"\xff"}); }), "invalid_run_meta");
  NdArray lying = NdArray::of(std::vector<double>{1, 2});
  lying.shape = {3};
  EXPECT_EQ(code_of([&] { (void)MetaArray(lying); }), "shape_mismatch");
  MetaArray array;
  array.dtype = "<U0";
  array.shape = {std::int64_t{1} << 40};
  EXPECT_EQ(code_of([&] { array.to_array(); }), "shape_mismatch");
  array.dtype = "<U2147483647";
  array.shape = {0};
  EXPECT_TRUE(array.to_array().strings.empty());  // no room for a text of 8 GiB
  array.dtype = "<U1";
  array.shape = {1};
  array.bytes = {std::byte{0}, std::byte{0xD8}, std::byte{0}, std::byte{0}};
  EXPECT_EQ(code_of([&] { array.to_array(); }), "invalid_protobuf");
  EXPECT_EQ(MetaArray(std::vector<std::string>{std::string("a\0b", 3)}).to_array().strings.front(),
            std::string("a\0b", 3));
}

}  // namespace
}  // namespace mcbackend::test
