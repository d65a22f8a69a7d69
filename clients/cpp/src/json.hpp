// JSON of answers and requests: small documents, read whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mcbackend::json {

class Value;
using List = std::vector<Value>;
/// Members in the order of the text.
using Object = std::vector<std::pair<std::string, Value>>;

/// A number as the digits of the text, so that 64 bits of an integer and of a double come through alike.
struct Number {
  std::string text;
};

class Value {
 public:
  // NOLINTBEGIN(google-explicit-constructor,hicpp-explicit-conversions): documents are written down in braces.
  Value(std::nullptr_t = nullptr) {}
  Value(bool v) : data_(v) {}
  Value(double v);
  Value(std::uint64_t v);
  Value(std::int64_t v);
  Value(std::int32_t v) : Value(std::int64_t{v}) {}
  Value(std::uint32_t v) : Value(std::uint64_t{v}) {}
  Value(Number v) : data_(std::move(v)) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(List v) : data_(std::move(v)) {}
  Value(Object v) : data_(std::move(v)) {}
  // NOLINTEND(google-explicit-constructor,hicpp-explicit-conversions)

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(data_); }
  bool is_object() const noexcept { return std::holds_alternative<Object>(data_); }
  /// Null where the value is of another kind.
  const std::string* text() const noexcept { return std::get_if<std::string>(&data_); }
  const List* list() const noexcept { return std::get_if<List>(&data_); }
  const Object* object() const noexcept { return std::get_if<Object>(&data_); }
  std::optional<bool> boolean() const noexcept;
  /// Nothing where the value is of another kind, or no number of this type ("1.5" as an integer).
  std::optional<double> real() const noexcept;
  std::optional<std::uint64_t> natural() const noexcept;
  std::optional<std::int64_t> integer() const noexcept;

  /// A member of an object; null where there is none, or the value is no object.
  const Value* find(std::string_view name) const noexcept;
  /// The text of a member; empty where there is none.
  std::string text_of(std::string_view name) const;

 private:
  friend std::string dump(const Value& value);
  std::variant<std::nullptr_t, bool, Number, std::string, List, Object> data_ = nullptr;
};

/// @throws Error invalid_answer for what is no JSON, with the place
Value parse(std::string_view text);

/// The shortest text. Doubles that are not finite become null.
std::string dump(const Value& value);

}  // namespace mcbackend::json
