// Messages against files that McBackend and the official runtime of protobuf wrote.
#include "wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mcbackend/meta.hpp>
#include <string>
#include <vector>

#include "golden.hpp"
#include "wire_batch.hpp"

namespace mcbackend::test {
namespace {

using json::Value;

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const auto& item : *list.list()) texts.push_back(*item.text());
  return texts;
}

// Draws.

void expect_column(const wire::DecodedColumn& column, const Value& expected) {
  EXPECT_EQ(column.name, *at(expected, "name").text());
  EXPECT_EQ(column.dtype, *at(expected, "dtype").text());
  EXPECT_EQ(hex_of(column.data), *at(expected, "data").text());
  std::vector<std::uint64_t> shapes;
  std::vector<std::string> strings;
  wire::Reader(column.message, "test").fields([&](wire::Reader& r, unsigned field, wire::Type type) {
    if (field == 4) return r.numbers(type, [&](std::uint64_t n) { shapes.push_back(n & 0xFFFFFFFFU); });
    if (field == 5) strings.emplace_back(r.text());
    return field == 5;
  });
  std::vector<std::uint64_t> expected_shapes;
  for (const auto& n : *at(expected, "shapes").list()) expected_shapes.push_back(n.natural().value());
  EXPECT_EQ(shapes, expected_shapes);
  EXPECT_EQ(strings, texts_of(at(expected, "strings")));
  EXPECT_EQ(column.shapes, shapes.size());
  EXPECT_EQ(column.strings, strings.size());
}

TEST(GoldenDraws, HaveTheColumnsOfTheJson) {
  const auto names = golden_names("draws");
  ASSERT_GT(names.size(), 10U);
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    const auto expected = golden_json("draws", name);
    const auto bytes = golden_bytes("draws", name);
    const auto batch = wire::decode_batch(bytes);
    EXPECT_EQ(std::to_string(batch.start), *at(expected, "start").text());
    EXPECT_EQ(batch.count, at(expected, "count").natural());
    const auto step = *at(expected, "step").text();
    EXPECT_EQ(std::to_string(batch.step), step == "0" ? "1" : step);
    const auto expect_columns = [](const std::vector<wire::DecodedColumn>& columns, const Value& list) {
      ASSERT_EQ(columns.size(), list.list()->size());
      for (std::size_t i = 0; i < columns.size(); ++i) expect_column(columns[i], (*list.list())[i]);
    };
    expect_columns(batch.draws, at(expected, "draws"));
    expect_columns(batch.stats, at(expected, "stats"));
  }
}

TEST(GoldenDraws, BecomeArraysOfTheRegisteredColumns) {
  const auto meta = decode_meta(golden_bytes("runmeta", "variables"));
  const auto schema = schema_of(meta);
  const auto packed_bytes = golden_bytes("draws", "variables");
  const auto unpacked_bytes = golden_bytes("draws", "variables-unpacked");
  const auto packed = wire::decode_batch(packed_bytes);
  const auto unpacked = wire::decode_batch(unpacked_bytes);
  ASSERT_EQ(packed.draws.size(), schema->draws().size());
  for (const auto& column : schema->draws()) {
    SCOPED_TRACE(column.name);
    const auto list = wire::listed_draws(*packed.find_draw(column.name), column, packed.count);
    ASSERT_EQ(list.size(), packed.count);
    EXPECT_EQ(list, wire::listed_draws(*unpacked.find_draw(column.name), column, unpacked.count));
    for (const auto& draw : list) EXPECT_TRUE(column.fits(draw.shape));
    if (column.is_rigid) {
      EXPECT_EQ(list, wire::split_draws(wire::rigid_draws(*packed.find_draw(column.name), column, packed.count)));
    }
  }
}

// RunMeta.

void expect_variables(const std::vector<Variable>& variables, const Value* expected) {
  const auto count = expected == nullptr ? 0 : expected->list()->size();
  ASSERT_EQ(variables.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& v = variables[i];
    const auto& e = (*expected->list())[i];
    EXPECT_EQ(v.name, e.text_of("name"));
    EXPECT_EQ(name_of(v.dtype), e.text_of("dtype"));
    std::vector<std::string> shape;
    for (const auto n : v.shape) shape.push_back(std::to_string(n));
    EXPECT_EQ(shape, e.find("shape") == nullptr ? std::vector<std::string>() : texts_of(at(e, "shape")));
    EXPECT_EQ(v.dims, e.find("dims") == nullptr ? std::vector<std::string>() : texts_of(at(e, "dims")));
    EXPECT_EQ(v.is_deterministic, e.find("isDeterministic") != nullptr);
    EXPECT_EQ(v.undefined_ndim, e.find("undefinedNdim") != nullptr);
  }
}

Value json_of(const Json& json) {
  struct Visitor {
    Value operator()(std::nullptr_t) const { return nullptr; }
    Value operator()(bool v) const { return v; }
    Value operator()(double v) const { return v; }
    Value operator()(const std::string& v) const { return v; }
    Value operator()(const Json::List& v) const {
      json::List list;
      for (const auto& item : v) list.push_back(json_of(item));
      return list;
    }
    Value operator()(const Json::Object& v) const {
      json::Object object;
      for (const auto& [key, item] : v) object.emplace_back(key, json_of(item));
      return object;
    }
  };
  return std::visit(Visitor{}, json.value);
}

/// Equal whatever the order of members, with numbers by their value.
bool is_same(const Value& a, const Value& b) {
  if (a.real() && b.real()) return *a.real() == *b.real() && std::signbit(*a.real()) == std::signbit(*b.real());
  if (a.list() != nullptr && b.list() != nullptr) {
    return std::equal(a.list()->begin(), a.list()->end(), b.list()->begin(), b.list()->end(), is_same);
  }
  if (a.object() != nullptr && b.object() != nullptr) {
    return a.object()->size() == b.object()->size() &&
           std::all_of(a.object()->begin(), a.object()->end(), [&b](const auto& m) {
             return b.find(m.first) != nullptr && is_same(m.second, *b.find(m.first));
           });
  }
  return dump(a) == dump(b);
}

/// True where the attribute has this kind and value of canonical JSON. Times and arrays are compared by kind; others of
/// their tests see more.
bool is_attribute(const Attribute& attribute, const std::string& kind, const Value& value) {
  if (kind == "nullValue") return std::holds_alternative<std::nullptr_t>(attribute);
  if (kind == "numberValue") {
    const auto number = std::get<double>(attribute);
    return value.text() == nullptr ? number == value.real() : !std::isfinite(number);
  }
  if (kind == "stringValue") return std::get<std::string>(attribute) == *value.text();
  if (kind == "boolValue") return std::get<bool>(attribute) == value.boolean();
  if (kind == "structValue") return is_same(json_of({std::get<Json::Object>(attribute)}), value);
  if (kind == "listValue") return is_same(json_of({std::get<Json::List>(attribute)}), value);
  if (kind == "timestampValue") return std::holds_alternative<Timestamp>(attribute);
  if (kind == "durationValue") return std::holds_alternative<Duration>(attribute);
  return kind == "ndarrayValue" && std::get<MetaArray>(attribute).dtype == value.text_of("dtype");
}

void expect_attribute(const Attribute& attribute, const Value& expected) {
  if (expected.object()->empty()) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(attribute));
    return;
  }
  const auto& [kind, value] = expected.object()->front();
  EXPECT_TRUE(is_attribute(attribute, kind, value)) << kind;
}

/// The array at a path of the member `arrays`: "coordinates.school", "data.y", "attributes.weights".
const MetaArray& array_at(const RunMeta& meta, const std::string& path) {
  const auto dot = path.find('.');
  const auto name = path.substr(dot + 1);
  if (path.compare(0, dot, "attributes") == 0) return std::get<MetaArray>(meta.attributes.at(name));
  if (path.compare(0, dot, "data") == 0) {
    for (const auto& d : meta.data) {
      if (d.name == name) return d.value;
    }
  }
  for (const auto& c : meta.coordinates) {
    if (c.name == name) return c.values;
  }
  throw std::runtime_error("there is no array " + path);
}

std::string number_text(const NdArray& array, std::size_t i) {
  switch (array.dtype) {
    case DType::int8:
      return std::to_string(array.data<std::int8_t>()[i]);
    case DType::int16:
      return std::to_string(array.data<std::int16_t>()[i]);
    case DType::int32:
      return std::to_string(array.data<std::int32_t>()[i]);
    case DType::int64:
      return std::to_string(array.data<std::int64_t>()[i]);
    case DType::uint8:
      return std::to_string(array.data<std::uint8_t>()[i]);
    case DType::uint16:
      return std::to_string(array.data<std::uint16_t>()[i]);
    case DType::uint32:
      return std::to_string(array.data<std::uint32_t>()[i]);
    case DType::uint64:
      return std::to_string(array.data<std::uint64_t>()[i]);
    default:
      return hex_of(
          std::vector<std::byte>(array.bytes.begin() + static_cast<std::ptrdiff_t>(i * size_of(array.dtype)),
                                 array.bytes.begin() + static_cast<std::ptrdiff_t>((i + 1) * size_of(array.dtype))));
  }
}

void expect_array(const MetaArray& array, const Value& expected) {
  EXPECT_EQ(array.dtype, expected.text_of("dtype"));
  Shape shape;
  for (const auto& n : *at(expected, "shape").list()) shape.push_back(n.integer().value());
  EXPECT_EQ(array.shape, shape);
  static const std::map<std::string, bool> without_counterpart{
      {"complex64", true}, {"complex128", true}, {"float16", true}, {"|S3", true}};
  if (without_counterpart.count(array.dtype) != 0) {
    EXPECT_THROW(array.to_array(), Error);
    return;
  }
  const auto converted = array.to_array();
  const auto& values = *at(expected, "values").list();
  ASSERT_EQ(converted.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (converted.dtype == DType::str) {
      EXPECT_EQ(converted.strings[i], *values[i].text());
    } else if (converted.dtype == DType::bool_) {
      EXPECT_EQ(converted.data<bool>()[i], values[i].boolean());
    } else {
      EXPECT_EQ(number_text(converted, i), *values[i].text());
    }
  }
}

class GoldenRunMeta : public testing::TestWithParam<std::string> {};

TEST_P(GoldenRunMeta, HasTheValuesOfTheJson) {
  const auto meta = decode_meta(golden_bytes("runmeta", GetParam()));
  const auto expected = golden_json("runmeta", GetParam());
  const auto& canonical = at(expected, "canonical");
  EXPECT_EQ(meta.rid, canonical.text_of("rid"));
  expect_variables(meta.variables, canonical.find("variables"));
  expect_variables(meta.sample_stats, canonical.find("sampleStats"));
  const auto count_of = [&](const char* member) {
    const auto* list = canonical.find(member);
    return list == nullptr ? 0U : list->list()->size();
  };
  EXPECT_EQ(meta.coordinates.size(), count_of("coordinates"));
  ASSERT_EQ(meta.data.size(), count_of("data"));
  for (std::size_t i = 0; i < meta.data.size(); ++i) {
    const auto& e = (*at(canonical, "data").list())[i];
    EXPECT_EQ(meta.data[i].name, e.text_of("name"));
    EXPECT_EQ(meta.data[i].dims, e.find("dims") == nullptr ? std::vector<std::string>() : texts_of(at(e, "dims")));
    EXPECT_EQ(meta.data[i].is_observed, e.find("isObserved") != nullptr);
  }
  const auto* attributes = canonical.find("attributes");
  ASSERT_EQ(meta.attributes.size(), attributes == nullptr ? 0U : attributes->object()->size());
  for (const auto& [key, attribute] : meta.attributes) {
    SCOPED_TRACE(key);
    expect_attribute(attribute, at(*attributes, key));
  }
  for (const auto& [path, array] : *at(expected, "arrays").object()) {
    SCOPED_TRACE(path);
    expect_array(array_at(meta, path), array);
  }
}

TEST_P(GoldenRunMeta, IsTheSameAfterItWasWritten) {
  const auto once = encode_meta(decode_meta(golden_bytes("runmeta", GetParam())));
  EXPECT_EQ(encode_meta(decode_meta(once)), once);
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenRunMeta, testing::ValuesIn(golden_names("runmeta")), [](const auto& test) {
  auto name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(GoldenRunMeta, EqualMessagesAreWrittenAlike) {
  const auto written = [](const std::string& name) { return encode_meta(decode_meta(golden_bytes("runmeta", name))); };
  EXPECT_EQ(written("eight-schools"), written("eight-schools-reordered"));
  EXPECT_EQ(written("eight-schools"), written("later-schema"));
  EXPECT_NE(written("attributes-nan-payload"), written("attributes-nan-negative"));
}

TEST(GoldenRefused, AreMessages) {
  for (const auto& name : golden_names("refused")) EXPECT_NO_THROW(decode_meta(golden_bytes("refused", name))) << name;
}

TEST(GoldenMalformed, IsRefused) {
  for (const auto& name : golden_names("malformed", "run-")) {
    try {
      decode_meta(golden_bytes("malformed", name));
      ADD_FAILURE() << name << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "invalid_protobuf") << name;
    }
  }
  for (const auto& name : golden_names("malformed", "draws-")) {
    try {
      wire::decode_batch(golden_bytes("malformed", name));
      ADD_FAILURE() << name << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "invalid_answer") << name;
    }
  }
}

TEST(Meta, RefusesADTypeThatNoVariableHas) {
  wire::Bytes variable;
  wire::Writer(variable).bytes(1, "z");
  wire::Writer(variable).bytes(2, "complex128");
  wire::Bytes meta;
  wire::Writer(meta).present(3, variable);
  try {
    decode_meta(wire::text_of(meta));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "unsupported_dtype");
  }
}

TEST(Meta, BoundsWhatAFewBytesAskFor) {
  std::string coordinates;
  for (int i = 0; i < 1'100'000; ++i) coordinates += std::string_view("\x22\x00", 2);
  EXPECT_THROW(decode_meta(coordinates), Error);
  std::string value;  // lists within lists
  for (int i = 0; i < 301; ++i) {
    wire::Bytes inner;
    wire::Writer(inner).present(i % 2 == 0 ? 6 : 1, value);
    value = wire::text_of(inner);
  }
  wire::Bytes entry;
  wire::Writer(entry).present(2, value);
  wire::Bytes meta;
  wire::Writer(meta).present(5, entry);
  EXPECT_THROW(decode_meta(wire::text_of(meta)), Error);
}

}  // namespace
}  // namespace mcbackend::test
