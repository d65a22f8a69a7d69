// JSON of answers.
#include "json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <mcbackend/types.hpp>
#include <string>

namespace mcbackend::json {
namespace {

TEST(Json, GivesBackWhatItRead) {
  const std::string text = R"({"a":[1,-2.5e-3,true,false,null,"x"],"b":{"c":{}},"d":[],"e":"\" \\ / \u0000 \u001f"})";
  EXPECT_EQ(dump(parse(text)), text);
  EXPECT_EQ(dump(parse(" [ 1 , { \"a\" : \"b\" } ]\n")), "[1,{\"a\":\"b\"}]");
}

TEST(Json, KeepsEveryBitOfNumbers) {
  EXPECT_EQ(parse("18446744073709551615").natural(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parse("-9223372036854775808").integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse("9007199254740993").natural(), 9007199254740993U);
  for (const double v : {0.1, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3}) {
    const auto back = parse(dump(Value(v))).real();
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, v);
    EXPECT_EQ(std::signbit(*back), std::signbit(v));
  }
  EXPECT_EQ(dump(Value(std::numeric_limits<double>::quiet_NaN())), "null");
}

TEST(Json, NumbersOfAnotherKindAreNone) {
  EXPECT_FALSE(parse("1.5").natural().has_value());
  EXPECT_FALSE(parse("-1").natural().has_value());
  EXPECT_FALSE(parse("18446744073709551616").natural().has_value());
  EXPECT_FALSE(parse("\"1\"").real().has_value());
  EXPECT_EQ(parse("1e2").real(), 100);
}

TEST(Json, ReadsEscapes) {
  EXPECT_EQ(*parse(R"("\u00e9\u20AC\ud83d\ude00\b\f\n\r\t\/")").text(), "é€😀\b\f\n\r\t/");
  EXPECT_EQ(*parse("\"μ\"").text(), "μ");
}

TEST(Json, FindsMembersAndTakesTheLastOfTwo) {
  const auto v = parse(R"({"a":1,"a":"two"})");
  EXPECT_EQ(v.text_of("a"), "two");
  EXPECT_EQ(v.text_of("b"), "");
  EXPECT_EQ(v.find("b"), nullptr);
  EXPECT_EQ(parse("3").find("a"), nullptr);
}

class NoJson : public testing::TestWithParam<const char*> {};

TEST_P(NoJson, IsRefused) {
  try {
    parse(GetParam());
    FAIL() << "was taken: " << GetParam();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "invalid_answer");
  }
}

INSTANTIATE_TEST_SUITE_P(Texts, NoJson,
                         testing::Values("", " ", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", ".5", "-",
                                         "1e", "+1", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
                                         "\"\\ud800\\u0041\"", "\"\n\"", "\"\xff\"", "1 2", "<html>", "NaN", "\"\\"));

TEST(Json, BoundsTheDepth) {
  EXPECT_NO_THROW(parse(std::string(90, '[') + std::string(90, ']')));
  EXPECT_THROW(parse(std::string(100'000, '[')), Error);
}

}  // namespace
}  // namespace mcbackend::json
