// Draws put into a buffer come back from the batch that it makes.
#include "draw_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mcbackend/mcbackend.hpp>
#include <string>
#include <vector>

#include "batch_rows.hpp"
#include "random_draws.hpp"
#include "wire_batch.hpp"
#include "wire_split.hpp"

namespace mcbackend {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): names of the tests' own

void expect_rows(const std::vector<wire::DecodedColumn>& found, const std::vector<Column>& columns, const Rows& rows) {
  ASSERT_EQ(found.size(), columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto list = wire::listed_draws(found[c], columns[c], static_cast<std::uint32_t>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(list[i], rows[i][c]) << columns[c].name << " " << i;
  }
}

TEST(DrawBuffer, KeepsEveryBitOfEveryDType) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  DrawBuffer buffer(schema);
  RandomDraws draws(1);
  for (int round = 0; round < 3; ++round) {  // memory is used again
    Rows rows;
    Rows stats;
    for (int i = 0; i < 40; ++i) {
      rows.push_back(draws.row(meta.variables));
      stats.push_back(draws.row(meta.sample_stats));
      buffer.put(named(meta.variables, rows.back()), named(meta.sample_stats, stats.back()));
    }
    wire::Bytes bytes;
    buffer.encode(bytes, 1'000'000'000'000);
    EXPECT_LT(buffer.bytes(), bytes.size());
    const auto batch = wire::decode_batch(bytes);
    EXPECT_EQ(batch.start, 1'000'000'000'000U);
    EXPECT_EQ(batch.count, 40U);
    expect_rows(batch.draws, schema->draws(), rows);
    expect_rows(batch.stats, schema->stats(), stats);
    buffer.clear();
    EXPECT_EQ(buffer.count(), 0U);
    EXPECT_EQ(buffer.bytes(), 0U);
  }
}

TEST(DrawBuffer, HalvesOfABatchAreThoseOfItsDraws) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  RandomDraws draws(7);
  for (const int count : {2, 3, 9, 40}) {
    DrawBuffer whole(schema);
    DrawBuffer first(schema);
    DrawBuffer second(schema);
    for (int i = 0; i < count; ++i) {
      const auto row = draws.row(meta.variables);
      const auto stats = draws.row(meta.sample_stats);
      for (auto* buffer : {&whole, i < count / 2 ? &first : &second})
        buffer->put(named(meta.variables, row), named(meta.sample_stats, stats));
    }
    wire::Bytes batch;
    wire::Bytes wanted;
    whole.encode(batch, 1000);
    const auto halves = wire::split_batch(wire::text_of(batch), *schema);
    EXPECT_EQ(halves.first_count, first.count());
    EXPECT_EQ(halves.second_count, second.count());
    first.encode(wanted, 1000);
    EXPECT_EQ(halves.first, wanted);
    second.encode(wanted, 1000U + first.count());
    EXPECT_EQ(halves.second, wanted);
  }
}

TEST(DrawBuffer, TakesNamesInAnyOrder) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  DrawBuffer buffer(schema);
  RandomDraws draws(2);
  Rows rows;
  for (int i = 0; i < 20; ++i) {
    rows.push_back(draws.row(meta.variables));
    auto values = named(meta.variables, rows.back());
    if (i % 3 == 0) std::shuffle(values.begin(), values.end(), draws.random());
    buffer.put(values, {});
  }
  wire::Bytes bytes;
  buffer.encode(bytes, 0);
  const auto batch = wire::decode_batch(bytes);
  expect_rows(batch.draws, schema->draws(), rows);
  EXPECT_TRUE(batch.stats.empty());
}

/// A run whose columns are all blocks, with names of every length that is compared in a way of its own.
RunMeta blocks_only() {
  RunMeta meta;
  meta.variables = {{"a"},
                    {"mu", DType::float32},
                    {"tau", DType::float64, {3}},
                    {"beta", DType::int64, {2, 2}},
                    {"gamma_12", DType::bool_, {4}},
                    {"a_longer_name", DType::int8},
                    {"the_longest_name_of_all", DType::float64, {0}}};
  meta.sample_stats = {{"lp__"}, {"divergent__", DType::bool_}, {"treedepth__", DType::int16}};
  return meta;
}

/// The values as samplers give them, without a shape beside the elements.
std::vector<NamedValue> bare(const std::vector<Variable>& variables, const std::vector<NdArray>& row) {
  std::vector<NamedValue> values;
  values.reserve(row.size());
  for (std::size_t i = 0; i < row.size(); ++i)
    values.push_back({variables[i].name, Value(row[i].dtype, row[i].bytes.data(), row[i].size())});
  return values;
}

// Draws of blocks take a shorter way while each is like the one before it: any draw between them must end it.
TEST(DrawBuffer, BlocksAreKeptWhateverComesBetween) {
  const auto meta = blocks_only();
  const auto schema = schema_of(meta);
  RandomDraws draws(11);
  DrawBuffer buffer(schema);
  for (int round = 0; round < 4; ++round) {
    Rows rows;
    Rows stats;
    const int late = round % 2 == 0 ? 0 : 7;  // draws before stats begin
    for (int i = 0; i < 400; ++i) {
      rows.push_back(draws.row(meta.variables));
      stats.push_back(draws.row(meta.sample_stats));
      auto values = bare(meta.variables, rows.back());
      auto present = bare(meta.sample_stats, stats.back());
      const auto surprise = draws.random()() % 16;
      if (surprise == 0) std::shuffle(values.begin(), values.end(), draws.random());
      if (surprise == 1) std::shuffle(present.begin(), present.end(), draws.random());
      if (surprise == 2 || i < late) {
        for (std::size_t c = i < late ? 0 : 1; c < present.size(); ++c) stats.back()[c] = schema->stats()[c].fill();
        present.erase(present.begin() + (i < late ? 0 : 1), present.end());
      }
      if (surprise == 3) {
        auto other = values;
        other.back().name = "the_longest_name_of_alL";
        EXPECT_EQ(code_of([&] { buffer.put(other, present); }), "unknown_variable");
      }
      buffer.put(values, present);
    }
    ASSERT_EQ(buffer.count(), rows.size());
    wire::Bytes bytes;
    buffer.encode(bytes, 0);
    const auto batch = wire::decode_batch(bytes);
    expect_rows(batch.draws, schema->draws(), rows);
    expect_rows(batch.stats, schema->stats(), stats);
    buffer.clear();
  }
}

TEST(DrawBuffer, RefusesWrongBlocksBehindRightOnes) {
  const auto meta = blocks_only();
  RandomDraws draws(12);
  DrawBuffer buffer(schema_of(meta));
  const auto row = draws.row(meta.variables);
  const auto stat_row = draws.row(meta.sample_stats);
  const auto values = bare(meta.variables, row);
  const auto stats = bare(meta.sample_stats, stat_row);
  const auto refuse = [&](std::size_t index, const NamedValue& wrong, const std::string& code) {
    buffer.put(values, stats);
    wire::Bytes before;
    buffer.encode(before, 5);
    auto changed = values;
    changed[index] = wrong;
    EXPECT_EQ(code_of([&] { buffer.put(changed, stats); }), code) << wrong.name;
    wire::Bytes after;
    buffer.encode(after, 5);
    EXPECT_EQ(after, before);
  };
  const std::vector<double> two(2);
  const unsigned char bools[] = {0, 1, 2, 1};
  const char* const almost[] = {"b", "mU", "taU", "Beta", "gamma_13", "a_longer_nAme", "the_longest_name_of_alL"};
  for (std::size_t i = 0; i < std::size(almost); ++i) refuse(i, {almost[i], values[i].value}, "unknown_variable");
  refuse(0, {"mu", 1.0F}, "duplicate_variable");
  refuse(1, {"mu", 1.0}, "dtype_mismatch");
  refuse(2, {"tau", two}, "shape_mismatch");
  refuse(4, {"gamma_12", Value(DType::bool_, bools, 4)}, "dtype_mismatch");
  const View<NamedValue> short_of_one(values.data(), values.size() - 1);
  EXPECT_EQ(code_of([&] { buffer.put(short_of_one, stats); }), "missing_variable");
}

TEST(DrawBuffer, FillsStatsThatAreAbsent) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  DrawBuffer buffer(schema);
  RandomDraws draws(3);
  Rows rows;
  Rows stats;
  for (int i = 0; i < 30; ++i) {
    rows.push_back(draws.row(meta.variables));
    stats.push_back(draws.row(meta.sample_stats));
    auto values = named(meta.sample_stats, stats.back());
    std::vector<NamedValue> present;
    for (std::size_t c = 0; c < values.size(); ++c) {
      if (i > 3 && draws.random()() % 3 != 0) {
        present.push_back(values[c]);
      } else {
        stats.back()[c] = schema->stats()[c].fill();
      }
    }
    buffer.put(named(meta.variables, rows.back()), present);
  }
  wire::Bytes bytes;
  buffer.encode(bytes, 0);
  const auto batch = wire::decode_batch(bytes);
  expect_rows(batch.draws, schema->draws(), rows);
  expect_rows(batch.stats, schema->stats(), stats);
}

TEST(DrawBuffer, FillsAreThoseOfTheProtocol) {
  const Schema schema([] {
    RunMeta meta;
    meta.sample_stats = {{"d"},
                         {"f", DType::float32},
                         {"i", DType::int64, {2}},
                         {"b", DType::bool_},
                         {"s", DType::str, {2}},
                         {"r", DType::float64, {3, -1}},
                         {"u"}};
    meta.sample_stats.back().undefined_ndim = true;
    return meta;
  }());
  const auto fill = [&](const char* name) { return schema.find_stat(name)->fill(); };
  std::uint64_t bits = 0;
  std::memcpy(&bits, fill("d").data<double>(), 8);
  EXPECT_EQ(bits, 0x7FF8000000000000U);
  std::uint32_t bits32 = 0;
  std::memcpy(&bits32, fill("f").data<float>(), 4);
  EXPECT_EQ(bits32, 0x7FC00000U);
  EXPECT_EQ(fill("i"), NdArray::of(std::vector<std::int64_t>{0, 0}));
  EXPECT_FALSE(*fill("b").data<bool>());
  EXPECT_EQ(fill("s"), NdArray::of({2}, std::vector<std::string>{"", ""}));
  EXPECT_EQ(fill("r").shape, (Shape{3, 0}));
  EXPECT_EQ(fill("u").shape, Shape{});
}

TEST(DrawBuffer, TakesNoMemoryForAStatThatIsNeverThere) {
  RunMeta meta;
  meta.variables = {{"x"}};
  meta.sample_stats = {{"huge", DType::float64, {std::int64_t{1} << 31}}};
  DrawBuffer buffer(schema_of(meta));
  for (int i = 0; i < 1000; ++i) buffer.put({{"x", 1.0}}, {});
  EXPECT_EQ(buffer.bytes(), 8000U);
}

TEST(DrawBuffer, RefusesAStatThatComesTooLate) {
  RunMeta meta;
  meta.variables = {{"x"}};
  meta.sample_stats = {{"lp"}, {"metric", DType::float64, {1000}}};
  DrawBuffer buffer(schema_of(meta));
  const std::vector<double> metric(1000, 1.0);
  const auto put_late = [&](std::size_t most) { return buffer.put({{"x", 1.0}}, {{"metric", metric}}, most); };
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(buffer.put({{"x", 1.0}}, {}, 10'000));
  EXPECT_FALSE(put_late(800'799));
  EXPECT_EQ(buffer.count(), 100U);
  EXPECT_EQ(buffer.bytes(), 800U);
  EXPECT_TRUE(put_late(800'800));
  EXPECT_EQ(buffer.bytes(), 800'800U + 8'008U);
  buffer.clear();
  EXPECT_TRUE(put_late(1));  // the first draw has none before it
}

RunMeta few() {
  RunMeta meta;
  meta.variables = {
      {"mu"}, {"theta", DType::float64, {2, 2}}, {"w", DType::float64, {-1, 3}}, {"v", DType::float64, {-1, -1}}};
  meta.sample_stats = {{"ok", DType::bool_}, {"why", DType::str}};
  return meta;
}

TEST(DrawBuffer, RefusesAndKeepsNothing) {
  DrawBuffer buffer(schema_of(few()));
  const std::vector<double> four(4);
  const std::vector<double> six(6);
  const std::vector<double> five(5);
  const std::vector<float> floats(4);
  const std::vector<std::int64_t> two_by_three{2, 3};
  const std::vector<std::int64_t> four_by_one{4, 1};
  const std::vector<std::int64_t> negative{-2, -3};
  const Value matrix(six.data(), two_by_three);
  const auto refuse = [&](View<NamedValue> draw, View<NamedValue> stats, const std::string& code) {
    EXPECT_EQ(code_of([&] { buffer.put(draw, stats); }), code);
    EXPECT_EQ(buffer.count(), 0U);
    EXPECT_EQ(buffer.bytes(), 0U);
  };
  const double one = 1;
  const NamedValue mu{"mu", one};
  const NamedValue theta{"theta", four};
  const NamedValue w{"w", six};
  const NamedValue v{"v", matrix};
  refuse({mu, theta, w}, {}, "missing_variable");
  refuse({}, {}, "missing_variable");
  refuse({mu, theta, w, v, mu}, {}, "duplicate_variable");
  refuse({mu, theta, w, v, {"nu", 1.0}}, {}, "unknown_variable");
  refuse({mu, theta, w, v}, {{"mu", 1.0}}, "unknown_variable");
  refuse({{"mu", 1}, theta, w, v}, {}, "dtype_mismatch");
  refuse({mu, {"theta", floats}, w, v}, {}, "dtype_mismatch");
  refuse({mu, {"theta", five}, w, v}, {}, "shape_mismatch");
  refuse({mu, {"theta", Value(four.data(), four_by_one)}, w, v}, {}, "shape_mismatch");
  refuse({mu, theta, {"w", five}, v}, {}, "shape_mismatch");
  refuse({mu, theta, w, {"v", six}}, {}, "shape_mismatch");
  refuse({mu, theta, w, {"v", Value(six.data(), negative)}}, {}, "shape_mismatch");
  const unsigned char two = 2;
  refuse({mu, theta, w, v}, {{"ok", Value(DType::bool_, &two, 1)}}, "dtype_mismatch");
  const std::string latin1 = "\xe9";
  refuse({mu, theta, w, v}, {{"why", latin1}}, "dtype_mismatch");
  NdArray lying = NdArray::of(four);
  lying.shape = {2, 3};
  refuse({mu, theta, {"w", lying}, v}, {}, "shape_mismatch");
  buffer.put({mu, theta, w, v}, {{"ok", true}});
  EXPECT_EQ(buffer.count(), 1U);
}

TEST(Value, EmptyBracesAreTheShapeOfAScalar) {
  const double x = 1;
  for (const auto& value : {Value(&x, {}), Value(DType::float64, &x, {})}) {
    EXPECT_EQ(value.count(), 1U);
    EXPECT_EQ(value.ndim(), 0U);
    EXPECT_TRUE(value.is_shaped());
  }
  EXPECT_EQ(Value(&x, 1).ndim(), 1U);
  EXPECT_EQ(Value(&x, {1, 1}).ndim(), 2U);
}

TEST(DrawBuffer, InfersTheDimensionThatVaries) {
  const auto schema = schema_of(few());
  DrawBuffer buffer(schema);
  const std::vector<double> four(4);
  const std::vector<double> six(6);
  const std::vector<std::int64_t> shape{1, 6};
  buffer.put({{"mu", 1.0}, {"theta", four}, {"w", six}, {"v", Value(six.data(), shape)}}, {});
  wire::Bytes bytes;
  buffer.encode(bytes, 0);
  const auto batch = wire::decode_batch(bytes);
  EXPECT_EQ(wire::listed_draws(*batch.find_draw("w"), *schema->find_draw("w"), 1)[0].shape, (Shape{2, 3}));
  EXPECT_EQ(wire::listed_draws(*batch.find_draw("v"), *schema->find_draw("v"), 1)[0].shape, (Shape{1, 6}));
}

TEST(Schema, RefusesWhatNoRunCanHave) {
  const auto code = [](Variable v) {
    RunMeta meta;
    meta.variables.push_back(std::move(v));
    return code_of([&] { schema_of(meta); });
  };
  EXPECT_EQ(code({""}), "invalid_run_meta");
  EXPECT_EQ(code({std::string(257, 'a')}), "invalid_run_meta");
  EXPECT_EQ(code({"\xff"}), "invalid_run_meta");
  EXPECT_EQ(code({"x", DType::int8, {-2}}), "invalid_run_meta");
  EXPECT_EQ(code({"x", DType::int8, {1 << 30, 4}}), "invalid_run_meta");
  EXPECT_EQ(code({"x", DType::int8, {0, std::int64_t{1} << 40}}), "invalid_run_meta");
  EXPECT_EQ(code({"x", DType::int8, {1 << 30, 2}}), "");
  std::string name;
  for (int i = 0; i < 256; ++i) name += "😀";
  EXPECT_EQ(code({name}), "");
  RunMeta twice;
  twice.variables = {{"x"}, {"x"}};
  EXPECT_EQ(code_of([&] { schema_of(twice); }), "invalid_run_meta");
  twice.variables = {{"x"}};
  twice.sample_stats = {{"x"}};
  EXPECT_NO_THROW(schema_of(twice));
}

// Batches.

TEST(BatchRows, GiveTheDrawsOfABatch) {
  const auto meta = everything();
  const auto schema = schema_of(meta);
  RandomDraws draws(4);
  Rows rows;
  Rows stats;
  for (int i = 0; i < 25; ++i) {
    rows.push_back(draws.row(meta.variables));
    stats.push_back(draws.row(meta.sample_stats));
  }
  const auto batch = batch_of(meta, *schema, rows, stats);
  BatchRows view(*schema, batch);
  DrawBuffer buffer(schema);
  for (std::uint32_t i = 0; i < view.count(); ++i) buffer.put(view.draw(i), view.stats(i));
  wire::Bytes bytes;
  buffer.encode(bytes, 0);
  const auto decoded = wire::decode_batch(bytes);
  expect_rows(decoded.draws, schema->draws(), rows);
  expect_rows(decoded.stats, schema->stats(), stats);
}

TEST(BatchRows, RefuseWhatDoesNotFit) {
  const Schema schema([] {
    RunMeta meta;
    meta.variables = {{"x", DType::float64, {2}}, {"r", DType::int8, {-1}}};
    meta.sample_stats = {{"ok", DType::bool_}};
    return meta;
  }());
  const NamedDraws x{"x", NdArray::of({3, 2}, std::vector<double>(6))};
  const NamedDraws r{"r", std::vector<NdArray>(3, NdArray::of(std::vector<std::int8_t>(2)))};
  const auto code = [&](std::uint32_t count, std::vector<NamedDraws> draws, std::vector<NamedDraws> stats = {}) {
    const DrawBatch batch{{}, count, std::move(draws), std::move(stats)};
    return code_of([&] { BatchRows(schema, batch); });
  };
  EXPECT_EQ(code(3, {x, r}), "");
  EXPECT_EQ(code(3, {x, {"r", NdArray::of({3, 5}, std::vector<std::int8_t>(15))}}), "");
  EXPECT_EQ(code(0, {x, r}), "empty_batch");
  EXPECT_EQ(code(2, {x, r}), "shape_mismatch");
  EXPECT_EQ(code(3, {x}), "missing_variable");
  EXPECT_EQ(code(3, {x, r, x}), "duplicate_variable");
  EXPECT_EQ(code(3, {x, r}, {x}), "unknown_variable");
  EXPECT_EQ(code(3, {{"x", NdArray::of({3, 2}, std::vector<float>(6))}, r}), "dtype_mismatch");
  EXPECT_EQ(code(3, {{"x", NdArray::of({6}, std::vector<double>(6))}, r}), "shape_mismatch");
  EXPECT_EQ(code(3, {{"x", std::vector<NdArray>(3, NdArray::of(std::vector<double>(2)))}, r}), "shape_mismatch");
  EXPECT_EQ(code(3, {x, {"r", std::vector<NdArray>(2, NdArray::of(std::vector<std::int8_t>(2)))}}), "shape_mismatch");
  EXPECT_EQ(code(3, {x, {"r", NdArray::of({3}, std::vector<std::int8_t>(3))}}), "shape_mismatch");
  NdArray flags = NdArray::of(std::vector<std::uint8_t>{0, 1, 2});
  flags.dtype = DType::bool_;
  EXPECT_EQ(code(3, {x, r}, {{"ok", flags}}), "dtype_mismatch");
}

}  // namespace
}  // namespace mcbackend
