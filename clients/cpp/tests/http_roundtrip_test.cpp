// Values that were written to a server and read back through another handle: the same bits, in every dtype and shape.
#include <cmath>
#include <cstring>
#include <limits>

#include "support/test_server.hpp"

namespace mcbackend::test {
namespace {

class RoundTrip : public ::testing::Test {
 protected:
  void SetUp() override {
    MCB_NEEDS_SERVER();
    backend = http_backend(quick(TestServer::shared().place("server")));
  }
  std::shared_ptr<Chain> reopened(const std::string& rid, std::int32_t number = 0) {
    return http_backend(quick(TestServer::shared().place("server")))->get_run(rid)->get_chain(number);
  }
  std::shared_ptr<Backend> backend;
};

/// A draw with bits that differ in every byte, and the extremes of the dtype.
NdArray draw_of(DType dtype, std::size_t elements, unsigned seed) {
  NdArray array;
  array.dtype = dtype;
  array.shape = {static_cast<std::int64_t>(elements)};
  if (dtype == DType::str) {
    for (std::size_t i = 0; i < elements; ++i) {
      array.strings.push_back(i % 3 == 0 ? "" : std::string("μ\0", 3) + std::to_string(seed * 7 + i));
    }
    return array;
  }
  for (std::size_t i = 0; i < elements * size_of(dtype); ++i) {
    const auto byte = (seed * 31 + i * 17) % 5 == 0 ? 0xFFU : (seed + i * 73) & 0xFFU;
    array.bytes.push_back(static_cast<std::byte>(dtype == DType::bool_ ? byte & 1U : byte));
  }
  return array;
}

constexpr DType all_dtypes[] = {DType::bool_,  DType::int8,    DType::int16,   DType::int32,
                                DType::int64,  DType::uint8,   DType::uint16,  DType::uint32,
                                DType::uint64, DType::float32, DType::float64, DType::str};

Variable variable_of(std::string name, DType dtype, Shape shape, bool has_no_ndim = false) {
  Variable variable(std::move(name), dtype, std::move(shape));
  variable.undefined_ndim = has_no_ndim;
  return variable;
}

TEST_F(RoundTrip, EveryDtypeOfFixedAndVaryingShape) {
  auto meta = small_meta("dtypes");
  meta.variables.clear();
  for (const auto dtype : all_dtypes) {
    const std::string name(name_of(dtype));
    meta.variables.push_back(variable_of("rigid " + name, dtype, {2, 2}));
    meta.variables.push_back(variable_of("ragged/" + name, dtype, {-1}));
    meta.variables.push_back(variable_of("any[" + name + ",1]", dtype, {}, true));
  }
  const auto run = backend->init_run(meta);
  EXPECT_TRUE(run->is_new());
  const auto chain = run->init_chain(0);
  EXPECT_TRUE(chain->is_new());
  constexpr unsigned count = 30;
  std::map<std::string, std::vector<NdArray>> expected;
  for (unsigned i = 0; i < count; ++i) {
    std::vector<NdArray> values;
    for (const auto dtype : all_dtypes) {
      auto rigid = draw_of(dtype, 4, i);
      rigid.shape = {2, 2};
      auto any = draw_of(dtype, i % 2 == 0 ? 6 : 1, i + 2);
      any.shape = i % 2 == 0 ? Shape{1, 3, 2} : Shape{};
      values.insert(values.end(), {std::move(rigid), draw_of(dtype, i % 4, i + 1), std::move(any)});
    }
    std::vector<NamedValue> draw;
    for (std::size_t v = 0; v < values.size(); ++v) {
      draw.push_back({meta.variables[v].name, values[v]});
      expected[meta.variables[v].name].push_back(values[v]);
    }
    chain->append(draw);
  }
  chain->close();
  const auto read = reopened(meta.rid);
  EXPECT_FALSE(read->is_new());
  EXPECT_EQ(read->length(), count);
  for (const auto& [name, draws] : expected) {
    EXPECT_EQ(read->get_draws_list(name), draws) << name;
    const auto backwards = read->get_draws_list(name, {-2, 3, -5});
    ASSERT_EQ(backwards.size(), 5U) << name;
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(backwards[i], draws[count - 2 - 5 * i]) << name;
  }
  const auto last = read->get_draws_at(-1);
  EXPECT_EQ(last.size(), expected.size());
  for (const auto& [name, value] : last) EXPECT_EQ(value, expected[name].back()) << name;
}

TEST_F(RoundTrip, NaNPayloadsZerosAndExtremes) {
  auto meta = small_meta("bits");
  meta.variables = {{"f"}, {"g", DType::float32}, {"i", DType::int64, {2}}, {"u", DType::uint64}};
  meta.sample_stats.clear();
  const auto chain = backend->init_run(meta)->init_chain(7);
  const std::uint64_t patterns[] = {0x7FF8000000000001,
                                    0xFFF8000000000000,
                                    0x7FF0000000000001,
                                    0x8000000000000000,
                                    0x7FF0000000000000,
                                    0xFFF0000000000000,
                                    1};
  std::vector<std::byte> f, g;
  for (const auto pattern : patterns) {
    double wide = 0;
    float narrow = 0;
    const auto half = static_cast<std::uint32_t>(pattern >> 32U | (pattern & 1U));
    std::memcpy(&wide, &pattern, 8);
    std::memcpy(&narrow, &half, 4);
    const std::int64_t extremes[] = {std::numeric_limits<std::int64_t>::min(),
                                     std::numeric_limits<std::int64_t>::max()};
    const auto greatest = std::numeric_limits<std::uint64_t>::max();
    chain->append({{"f", wide}, {"g", narrow}, {"i", Value(extremes, 2)}, {"u", greatest}});
    const auto* p = reinterpret_cast<const std::byte*>(&pattern);
    f.insert(f.end(), p, p + 8);
    p = reinterpret_cast<const std::byte*>(&half);
    g.insert(g.end(), p, p + 4);
  }
  EXPECT_EQ(chain->get_draws("f").bytes, f);
  EXPECT_EQ(chain->get_draws("g").bytes, g);
  EXPECT_EQ(chain->get_draws("i").to_vector<std::int64_t>()[12], std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(chain->get_draws("u").to_vector<std::uint64_t>().back(), std::numeric_limits<std::uint64_t>::max());
}

TEST_F(RoundTrip, AbsentStatsAreTheirFillValues) {
  auto meta = small_meta("stats");
  meta.sample_stats = {{"lp"}, {"depth", DType::int32}, {"tune", DType::bool_}, {"note", DType::str}};
  const auto chain = backend->init_run(meta)->init_chain(0);
  const std::vector<double> v(3, 1.0);
  for (int i = 0; i < 10; ++i) {
    const double x = i;
    const std::string note = "note";
    if (i % 3 == 0) {
      chain->append({{"x", x}, {"v", v}});
    } else {
      chain->append({{"v", v}, {"x", x}}, {{"note", note}, {"depth", i}, {"tune", true}});
    }
  }
  chain->flush();
  const auto lp = chain->get_stats("lp").to_vector<double>();
  const auto depth = chain->get_stats("depth").to_vector<std::int32_t>();
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(std::isnan(lp[i]));
    EXPECT_EQ(depth[i], i % 3 == 0 ? 0 : static_cast<int>(i));
  }
  EXPECT_EQ(chain->get_stats("note").strings[3], "");
  EXPECT_EQ(chain->get_stats("note").strings[4], "note");
}

TEST_F(RoundTrip, ALargeStatMayComeLate) {
  auto meta = small_meta("late");
  meta.variables = {{"x"}};
  meta.sample_stats = {{"metric", DType::float64, {10'000}}};
  auto options = quick(TestServer::shared().place("server"));
  options.flush.interval = std::chrono::minutes(1);
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  // In one request, what fills the draws before it would be more than a server takes.
  for (int i = 0; i < 999; ++i) chain->append({{"x", 1.0 * i}});
  const std::vector<double> metric(10'000, 0.5);
  chain->append({{"x", 999.0}}, {{"metric", metric}});
  chain->flush();
  EXPECT_EQ(chain->length(), 1000U);
  EXPECT_EQ(chain->get_draws("x").to_vector<double>().back(), 999.0);
  EXPECT_EQ(chain->get_stats("metric", {-1, {}, {}}).to_vector<double>(), metric);
  EXPECT_TRUE(std::isnan(chain->get_stats("metric", {-2, -1, {}}).to_vector<double>().back()));
}

TEST_F(RoundTrip, SlicesArePythons) {
  const auto meta = small_meta("slices");
  const auto chain = backend->init_run(meta)->init_chain(0);
  for (int i = 0; i < 20; ++i) append_small(*chain, i);
  const auto x = [&](const Slice& slice) { return chain->get_draws("x", slice).to_vector<double>(); };
  EXPECT_EQ(x({-3, {}, {}}), (std::vector<double>{17, 18, 19}));
  EXPECT_EQ(x({15, 2, -3}), (std::vector<double>{15, 12, 9, 6, 3}));
  EXPECT_EQ(x({{}, {}, -19}), (std::vector<double>{19, 0}));
  EXPECT_EQ(x({2, {}, -1}), (std::vector<double>{2, 1, 0}));
  EXPECT_EQ(x({0, {}, -1}), (std::vector<double>{0}));
  EXPECT_EQ(x({18, 1'000'000'000'000, {}}), (std::vector<double>{18, 19}));
  EXPECT_TRUE(x({5, 5, {}}).empty());
  EXPECT_EQ(chain->get_draws("v", {5, 5, {}}).shape, (Shape{0, 3}));
  EXPECT_EQ(error_of([&] { x({0, 1, 0}); }).code(), "invalid_slice");
  EXPECT_EQ(error_of([&] { chain->get_draws("y"); }).code(), "unknown_variable");
  EXPECT_EQ(error_of([&] { chain->get_stats("x"); }).code(), "unknown_variable");
  EXPECT_EQ(error_of([&] { chain->get_draws_at(20); }).code(), "invalid_slice");
  EXPECT_EQ(error_of([&] { chain->get_draws_at(-21); }).code(), "invalid_slice");
  const auto at = chain->get_draws_at(-2, {"v"});
  ASSERT_EQ(at.size(), 1U);
  EXPECT_EQ(at.at("v").to_vector<double>()[0], 18);
  EXPECT_EQ(chain->get_stats_at(0).at("lp").shape, Shape{});
}

TEST_F(RoundTrip, LongSlicesComeInPages) {
  auto meta = small_meta("pages");
  meta.variables = {{"wide", DType::float64, {20'000}}, {"words", DType::str, {2}}, {"ragged", DType::int32, {-1}}};
  meta.sample_stats.clear();
  const auto chain = backend->init_run(meta)->init_chain(0);
  std::vector<double> wide(20'000);
  constexpr int count = 300;  // of 160 kB: three pages
  for (int i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < wide.size(); ++k) wide[k] = i + static_cast<double>(k) / 1e6;
    const std::vector<std::string> words{std::string(static_cast<std::size_t>(i), 'w'), "μ"};
    const std::vector<std::int32_t> ragged(static_cast<std::size_t>(i % 5), i);
    chain->append({{"wide", wide}, {"words", Value(words.data(), 2)}, {"ragged", ragged}});
  }
  chain->flush();
  auto& server = TestServer::shared();
  const auto read = http_backend(quick(server.place("proxy")))->get_run(meta.rid)->get_chain(0);
  const auto array = read->get_draws("wide");
  ASSERT_EQ(array.shape, (Shape{count, 20'000}));
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(array.data<double>()[i * 20'000 + 7], static_cast<double>(i) + 7 / 1e6);
  }
  EXPECT_GE(server.seen("GET", "/draws?var=wide").size(), 3U);
  const auto backwards = read->get_draws("wide", {{}, {}, -2});
  ASSERT_EQ(backwards.shape[0], count / 2);
  EXPECT_EQ(backwards.data<double>()[149 * 20'000], 1);
  const auto words = read->get_draws("words");
  ASSERT_EQ(words.strings.size(), 2U * count);
  EXPECT_EQ(words.strings[598].size(), 299U);
  const auto ragged = read->get_draws_list("ragged");
  ASSERT_EQ(ragged.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(ragged[299].to_vector<std::int32_t>(), (std::vector<std::int32_t>(4, 299)));
  EXPECT_EQ(error_of([&] { read->get_draws("ragged"); }).code(), "shape_mismatch");
}

TEST_F(RoundTrip, NamesOfAnyKind) {
  auto meta = small_meta("names");
  meta.variables = {{"theta[1,2]"}, {"a+b&c=d"}, {"__proto__"}, {"μ/%41"}, {"log prior"}};
  meta.sample_stats = {{"theta[1,2]"}};
  const auto chain = backend->init_run(meta)->init_chain(0);
  chain->append({{"theta[1,2]", 1.0}, {"a+b&c=d", 2.0}, {"__proto__", 3.0}, {"μ/%41", 4.0}, {"log prior", 5.0}},
                {{"theta[1,2]", 6.0}});
  double expected = 1;
  for (const auto& variable : meta.variables) {
    EXPECT_EQ(chain->get_draws(variable.name).to_vector<double>(), std::vector<double>{expected++}) << variable.name;
  }
  EXPECT_EQ(chain->get_stats("theta[1,2]").to_vector<double>(), std::vector<double>{6});
}

TEST_F(RoundTrip, ManyVariablesAtOneIndex) {
  auto meta = small_meta("many");
  meta.variables.clear();
  std::vector<NamedValue> draw;
  std::vector<double> values(600);
  for (std::size_t i = 0; i < values.size(); ++i)
    meta.variables.emplace_back("variable with a long name " + std::to_string(i));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(i);
    draw.push_back({meta.variables[i].name, values[i]});
  }
  const auto chain = backend->init_run(meta)->init_chain(0);
  for (int i = 0; i < 3; ++i) chain->append(draw);
  const auto at = chain->get_draws_at(1);
  ASSERT_EQ(at.size(), values.size());
  EXPECT_EQ(at.at(meta.variables[599].name).to_vector<double>(), std::vector<double>{599});
}

}  // namespace
}  // namespace mcbackend::test
