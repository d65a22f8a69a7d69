// A parser and a printer of JSON (RFC 8259).
#include "json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <mcbackend/types.hpp>

#include "utf8.hpp"

namespace mcbackend::json {
namespace {

constexpr int max_depth = 100;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

class Parser {
 public:
  explicit Parser(std::string_view text) noexcept : text_(text) {}

  Value document() {
    if (!is_utf8(text_)) fail("it is no UTF-8");
    auto value = this->value(0);
    space();
    if (at_ != text_.size()) fail("something follows the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* why) const {
    throw Error("invalid_answer", "no JSON, at byte " + std::to_string(at_) + ": " + why);
  }
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) noexcept {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void space() noexcept {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  bool word(std::string_view w) noexcept {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  Value value(int depth) {
    if (depth > max_depth) fail("it is nested too deep");
    space();
    const char c = peek();
    if (c == '{') return object(depth);
    if (c == '[') return list(depth);
    if (c == '"') return text();
    if (c == '-' || is_digit(c)) return number();
    if (word("true")) return true;
    if (word("false")) return false;
    if (word("null")) return nullptr;
    fail("a value is missing");
  }

  Value object(int depth) {
    Object members;
    ++at_;
    space();
    if (take('}')) return members;
    do {
      space();
      if (peek() != '"') fail("the name of a member is missing");
      auto name = text();
      space();
      if (!take(':')) fail("a colon is missing");
      members.emplace_back(std::move(name), value(depth + 1));
      space();
    } while (take(','));
    if (!take('}')) fail("an object has no end");
    return members;
  }

  Value list(int depth) {
    List items;
    ++at_;
    space();
    if (take(']')) return items;
    do {
      items.push_back(value(depth + 1));
      space();
    } while (take(','));
    if (!take(']')) fail("a list has no end");
    return items;
  }

  void digits() {
    if (!is_digit(peek())) fail("a digit is missing");
    while (is_digit(peek())) ++at_;
  }

  Value number() {
    const auto begin = at_;
    take('-');
    if (!take('0')) digits();
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits();
    }
    return Number{std::string(text_.substr(begin, at_ - begin))};
  }

  char32_t hex4() {
    std::uint32_t c = 0;
    const auto digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), c, 16);
    if (error != std::errc() || end != digits.data() + 4) fail("four digits are missing");
    at_ += 4;
    return c;
  }

  char32_t escaped_code_point() {
    const auto first = hex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !word("\\u")) fail("half a character");
    const auto second = hex4();
    if (second < 0xDC00 || second > 0xDFFF) fail("half a character");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  void escape(std::string& to) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (take('u')) {
      append_utf8(to, escaped_code_point());
      return;
    }
    const auto found = at_ < text_.size() ? letters.find(text_[at_]) : std::string_view::npos;
    if (found == std::string_view::npos) fail("an unknown escape");
    to += meanings[found];
    ++at_;
  }

  std::string text() {
    std::string result;
    ++at_;
    while (at_ < text_.size()) {
      const auto begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      result += text_.substr(begin, at_ - begin);
      if (take('"')) return result;
      if (!take('\\')) break;
      escape(result);
    }
    fail("a text has no end, or a control character in it");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <class T>
Number to_number(T v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  return {std::string(buffer, end)};
}

template <class T>
std::optional<T> from_number(const Number* number) noexcept {
  if (number == nullptr) return {};
  T v{};
  const auto* last = number->text.data() + number->text.size();
  const auto [end, error] = std::from_chars(number->text.data(), last, v);
  if (error != std::errc() || end != last) return {};
  return v;
}

struct Printer {
  std::string& out;

  void operator()(std::nullptr_t) const { out += "null"; }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(const Number& v) const { out += v.text; }
  void operator()(const std::string& v) const {
    constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    for (const char c : v) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (byte < 0x20) {
        out += "\\u00";
        out += hex[byte >> 4];
        out += hex[byte & 15U];
      } else {
        out += c;
      }
    }
    out += '"';
  }
  void operator()(const List& list) const {
    out += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      out += dump(list[i]);
    }
    out += ']';
  }
  void operator()(const Object& object) const {
    out += '{';
    for (std::size_t i = 0; i < object.size(); ++i) {
      if (i > 0) out += ',';
      (*this)(object[i].first);
      out += ':';
      out += dump(object[i].second);
    }
    out += '}';
  }
};

}  // namespace

Value::Value(double v) {
  if (std::isfinite(v)) data_ = to_number(v);
}

Value::Value(std::uint64_t v) : data_(to_number(v)) {}

Value::Value(std::int64_t v) : data_(to_number(v)) {}

std::optional<bool> Value::boolean() const noexcept {
  const auto* v = std::get_if<bool>(&data_);
  return v == nullptr ? std::nullopt : std::optional(*v);
}

std::optional<double> Value::real() const noexcept { return from_number<double>(std::get_if<Number>(&data_)); }

std::optional<std::uint64_t> Value::natural() const noexcept {
  return from_number<std::uint64_t>(std::get_if<Number>(&data_));
}

std::optional<std::int64_t> Value::integer() const noexcept {
  return from_number<std::int64_t>(std::get_if<Number>(&data_));
}

const Value* Value::find(std::string_view name) const noexcept {
  const auto* members = object();
  if (members == nullptr) return nullptr;
  const auto found =
      std::find_if(members->rbegin(), members->rend(), [name](const auto& m) { return m.first == name; });
  return found == members->rend() ? nullptr : &found->second;
}

std::string Value::text_of(std::string_view name) const {
  const auto* member = find(name);
  const auto* text = member == nullptr ? nullptr : member->text();
  return text == nullptr ? std::string() : *text;
}

Value parse(std::string_view text) { return Parser(text).document(); }

std::string dump(const Value& value) {
  std::string out;
  std::visit(Printer{out}, value.data_);
  return out;
}

}  // namespace mcbackend::json
