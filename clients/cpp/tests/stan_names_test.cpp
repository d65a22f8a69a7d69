/// @file
/// Stan's names become variables, in C order whatever the order of columns.
#include <gtest/gtest.h>
#include <mcbackend/stan_names.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using mcbackend::DType;
using mcbackend::Error;
using mcbackend::Shape;
using mcbackend::stan::group_columns;
using Names = std::vector<std::string>;

std::map<std::string, Shape> shapes(const Names& names) {
  std::map<std::string, Shape> found;
  for (const auto& group : group_columns(names)) found[group.variable.name] = group.variable.shape;
  return found;
}

/// Names of variables in their order, and of the columns of each in C order.
std::vector<std::pair<std::string, Names>> grouped(const Names& names) {
  std::vector<std::pair<std::string, Names>> all;
  for (const auto& group : group_columns(names)) {
    Names columns;
    for (const auto column : group.columns) columns.push_back(names.at(column));
    all.emplace_back(group.variable.name, columns);
  }
  return all;
}

std::string message_of(const Names& names) {
  try {
    group_columns(names);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "invalid_parameter");
    return error.what();
  }
  return "nothing was thrown";
}

TEST(StanNames, ScalarsVectorsAndMatrices) {
  const Names names{"lp__", "mu", "theta.1", "theta.2", "a.1.1", "a.2.1", "a.1.2", "a.2.2", "a.1.3", "a.2.3"};
  EXPECT_EQ(shapes(names), (std::map<std::string, Shape>{{"lp__", {}}, {"mu", {}}, {"theta", {2}}, {"a", {2, 3}}}));
  EXPECT_EQ(grouped(names).back().second, (Names{"a.1.1", "a.1.2", "a.1.3", "a.2.1", "a.2.2", "a.2.3"}));
}

TEST(StanNames, DigitsBelongToIdentifiers) {
  const std::map<std::string, Shape> expected{{"x2", {}}, {"x2_1", {2}}, {"y10", {1}}, {"z.real", {}}, {"z.imag", {}}};
  EXPECT_EQ(shapes({"x2", "x2_1.1", "x2_1.2", "y10.1", "z.real", "z.imag"}), expected);
}

TEST(StanNames, WithoutAnIdentifierTheNameStays) {
  EXPECT_EQ(shapes({".1", ":2", "7", ".real", ""}),
            (std::map<std::string, Shape>{{".1", {}}, {":2", {}}, {"7", {}}, {".real", {}}, {"", {}}}));
  EXPECT_EQ(shapes({"a.12345678901"}), (std::map<std::string, Shape>{{"a.12345678901", {}}}));
}

TEST(StanNames, PartsOfTuplesAreVariables) {
  const Names names{"t:1",      "t:2.1",      "t:2.2",      "at.1:1", "at.1:2.1.1", "at.1:2.2.1", "at.2:1",
                    "at.2:2.1.1", "at.2:2.2.1", "n:1",        "n:2:1.1", "n:2:1.2",    "n:2:2.real", "n:2:2.imag"};
  const std::vector<std::pair<std::string, Names>> expected{
      {"t:1", {"t:1"}},
      {"t:2", {"t:2.1", "t:2.2"}},
      {"at:1", {"at.1:1", "at.2:1"}},
      {"at:2", {"at.1:2.1.1", "at.1:2.2.1", "at.2:2.1.1", "at.2:2.2.1"}},
      {"n:1", {"n:1"}},
      {"n:2:1", {"n:2:1.1", "n:2:1.2"}},
      {"n:2:2.real", {"n:2:2.real"}},
      {"n:2:2.imag", {"n:2:2.imag"}}};
  EXPECT_EQ(grouped(names), expected);
  EXPECT_EQ(shapes(names).at("at:2"), (Shape{2, 2, 1}));
}

TEST(StanNames, PartsComeByTheirNumbers) {
  Names names;
  for (const auto* element : {"1", "2"}) {
    for (const auto* part : {"1", "2", "10"}) names.push_back(std::string("p.") + element + ":" + part);
  }
  names.insert(names.end(), {"z.1.real", "z.1.imag", "z.2.real", "z.2.imag", "after"});
  Names order;
  for (const auto& group : grouped(names)) order.push_back(group.first);
  EXPECT_EQ(order, (Names{"p:1", "p:2", "p:10", "z.real", "z.imag", "after"}));
}

TEST(StanNames, StatsHaveTheirDtypes) {
  std::map<std::string, DType> dtypes;
  for (const auto& group : group_columns({"lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__",
                                          "divergent__", "energy__", "path__", "mu", "__"})) {
    EXPECT_EQ(group.is_stat, group.variable.name != "mu" && group.variable.name != "__");
    dtypes[group.variable.name] = group.variable.dtype;
  }
  EXPECT_EQ(dtypes["divergent__"], DType::bool_);
  for (const auto* name : {"treedepth__", "n_leapfrog__", "path__"}) EXPECT_EQ(dtypes[name], DType::int64) << name;
  for (const auto* name : {"lp__", "energy__", "mu"}) EXPECT_EQ(dtypes[name], DType::float64) << name;
}

TEST(StanNames, NoNamesNoVariables) { EXPECT_TRUE(group_columns({}).empty()); }

TEST(StanNames, DamageIsNamed) {
  EXPECT_NE(message_of({"a.1", "a.3"}).find("the 2 columns of a do not make up an array"), std::string::npos);
  EXPECT_NE(message_of({"a.1.1", "a.2.2"}).find("do not make up an array"), std::string::npos);
  EXPECT_NE(message_of({"a.1", "a.1"}).find("a column of a is there twice"), std::string::npos);
  EXPECT_NE(message_of({"a", "a"}).find("there twice"), std::string::npos);
  EXPECT_NE(message_of({"a", "a.1"}).find("different numbers of indices"), std::string::npos);
  EXPECT_NE(message_of({"a.0", "a.1"}).find("counts from 1"), std::string::npos);
  EXPECT_NE(message_of({"a.9999999999.9999999999.9999999999"}).find("do not make up an array"), std::string::npos);
}

/// Indices in C order, the last fastest, as numpy.ndindex gives them.
std::vector<Shape> indices_of(const Shape& shape) {
  std::vector<Shape> all{{}};
  for (const auto length : shape) {
    std::vector<Shape> longer;
    for (const auto& index : all) {
      for (std::int64_t i = 1; i <= length; ++i) {
        longer.push_back(index);
        longer.back().push_back(i);
      }
    }
    all = std::move(longer);
  }
  return all;
}

std::string named(const std::string& root, const Shape& index) {
  return std::accumulate(index.begin(), index.end(), root,
                         [](const std::string& name, std::int64_t i) { return name + "." + std::to_string(i); });
}

/// Random shapes, columns as Stan has them and in any order: the columns of a group are those of numpy.ndindex.
TEST(StanNames, AnyShapeInAnyOrder) {
  std::mt19937 random(19);
  const auto upto = [&](int most) { return std::uniform_int_distribution<int>(1, most)(random); };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<std::string, Names>> expected;
    Names names;
    for (int v = 0, variables = upto(4); v < variables; ++v) {
      Shape shape(static_cast<std::size_t>(upto(5) - 1));
      for (auto& length : shape) length = upto(4);
      const auto root = "v" + std::to_string(v);
      Names in_c_order;
      for (const auto& index : indices_of(shape)) in_c_order.push_back(named(root, index));
      // Stan's order is that of the reversed shape, read backwards.
      for (auto index : indices_of(Shape(shape.rbegin(), shape.rend()))) {
        names.push_back(named(root, Shape(index.rbegin(), index.rend())));
      }
      expected.emplace_back(root, in_c_order);
    }
    ASSERT_EQ(grouped(names), expected);
    std::shuffle(names.begin(), names.end(), random);
    auto found = grouped(names);
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected);
  }
}

TEST(StanNames, ManyColumns) {
  Names names;
  for (int i = 1; i <= 100'000; ++i) names.push_back("p." + std::to_string(i) + ":1");
  const auto groups = group_columns(names);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].variable.shape, (Shape{100'000}));
  EXPECT_EQ(groups[0].columns[77'777], 77'777U);
}

}  // namespace
