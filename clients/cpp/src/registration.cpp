// Checks at registration.
#include "registration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <random>

namespace mcbackend {
namespace {

constexpr std::size_t max_run_id = 128;
constexpr std::size_t max_columns = 10'000;
/// Years 1 to 9999, and ten thousand years, in seconds: all that canonical JSON of protobuf can say.
constexpr std::int64_t min_timestamp = -62'135'596'800;
constexpr std::int64_t max_timestamp = 253'402'300'799;
constexpr std::int64_t max_duration = 315'576'000'000;
constexpr std::int32_t max_nanos = 999'999'999;

bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string_view without_order(std::string_view dtype) noexcept {
  if (!dtype.empty() && std::string_view("<>=|").find(dtype.front()) != std::string_view::npos) dtype.remove_prefix(1);
  return dtype;
}

/// True for NumPy's names of the dtype of Python objects, and for structures with such a field: "[('a', '<f8'), ('b',
/// 'O')]".
bool has_addresses(std::string_view dtype) noexcept {
  if (is_any_of(without_order(dtype), {"O", "O4", "O8", "object", "object_"})) return true;
  if (!starts_with(dtype, "[")) return false;
  for (auto at = dtype.find(','); at != std::string_view::npos; at = dtype.find(',', at + 1)) {
    auto rest = dtype.substr(at + 1);
    if (starts_with(rest, " ")) rest.remove_prefix(1);
    if (!starts_with(rest, "'")) continue;
    rest.remove_prefix(1);
    if (is_any_of(without_order(rest.substr(0, rest.find('\''))), {"O", "O4", "O8"})) return true;
  }
  return false;
}

void require_values(const std::string& what, const std::string& name, const MetaArray& array) {
  if (!has_addresses(array.dtype)) return;
  throw Error("unsupported_dtype", what + " \"" + name + "\": dtype \"" + array.dtype +
                                       "\" has addresses in place of values; give text, numbers or times");
}

/// Visits an attribute. Throws the reason for which JSON cannot express it, as a text.
struct JsonCheck {
  const std::string& key;

  [[noreturn]] void fail(const char* why) const {
    throw Error("invalid_run_meta", "attribute \"" + key + "\": " + why);
  }
  void operator()(const Json::Object& object) const {
    for (const auto& member : object) check(member.second);
  }
  void operator()(const Json::List& list) const {
    for (const auto& item : list) check(item);
  }
  void operator()(const Timestamp& t) const {
    if (t.seconds < min_timestamp || t.seconds > max_timestamp || t.nanos < 0 || t.nanos > max_nanos) {
      fail("the time lies outside of the years 1 to 9999");
    }
  }
  void operator()(const Duration& d) const {
    const bool is_mixed = (d.seconds < 0 && d.nanos > 0) || (d.seconds > 0 && d.nanos < 0);
    if (d.seconds > max_duration || d.seconds < -max_duration || d.nanos > max_nanos || d.nanos < -max_nanos ||
        is_mixed) {
      fail("the duration is out of range, or its seconds and nanoseconds differ in sign");
    }
  }
  void operator()(const MetaArray& array) const { require_values("attribute", key, array); }
  template <class T>
  void operator()(const T&) const noexcept {}

 private:
  void check(const Json& json) const {
    const auto* number = std::get_if<double>(&json.value);
    if (number != nullptr && !std::isfinite(*number))
      fail("NaN and infinities cannot stand inside of a list or an object");
    std::visit(*this, json.value);
  }
};

}  // namespace

bool is_run_id(std::string_view rid) noexcept {
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '~' || c == '-';
  };
  return !rid.empty() && rid.size() <= max_run_id && rid != "." && rid != ".." &&
         std::all_of(rid.begin(), rid.end(), is_allowed);
}

void require_run_id(std::string_view rid) {
  if (is_run_id(rid)) return;
  throw Error("invalid_parameter",
              "\"" + std::string(rid) + "\" is no id of a run: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -");
}

void require_chain_number(std::int32_t number) {
  if (number < 0)
    throw Error("invalid_parameter", std::to_string(number) + " is no number of a chain: 0 to 2147483647");
}

std::string random_id() {
  std::random_device random;
  std::string id;
  for (int word = 0; word < 4; ++word) {
    std::uint32_t bits = random();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) id += "0123456789abcdef"[bits & 15U];
  }
  return id;
}

void require_storable(const RunMeta& meta) {
  if (meta.variables.size() + meta.sample_stats.size() > max_columns) {
    throw Error("invalid_run_meta", "a run has at most 10000 variables and sampler stats");
  }
  for (const auto& c : meta.coordinates) require_values("coordinate", c.name, c.values);
  for (const auto& d : meta.data) require_values("data", d.name, d.value);
  for (const auto& [key, value] : meta.attributes) std::visit(JsonCheck{key}, value);
}

}  // namespace mcbackend
