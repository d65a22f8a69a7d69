// Equality of RunMeta as messages: one canonical form of the bytes, made by the structure of the schema.
#include <algorithm>
#include <map>
#include <vector>

#include "registration.hpp"
#include "wire.hpp"

namespace mcbackend {
namespace {

using wire::Reader;
using wire::Type;

enum class Kind { flag, integer, real, text, message };
enum class Times { once, oneof, repeated, map };

struct Message;

struct Field {
  unsigned number;
  Kind kind;
  Times times = Times::once;
  /// A function, since messages contain each other.
  const Message& (*message)() = nullptr;
};

struct Message {
  std::vector<Field> fields;
};

const Message& value_message();

const Message& array_message() {
  static const Message m{{{1, Kind::text},
                          {2, Kind::text},
                          {3, Kind::integer, Times::repeated},
                          {4, Kind::integer, Times::repeated},
                          {5, Kind::text}}};
  return m;
}

const Message& object_message() {
  static const Message m{{{1, Kind::message, Times::map, value_message}}};
  return m;
}

const Message& list_message() {
  static const Message m{{{1, Kind::message, Times::repeated, value_message}}};
  return m;
}

const Message& time_message() {
  static const Message m{{{1, Kind::integer}, {2, Kind::integer}}};
  return m;
}

const Message& value_message() {
  static const Message m{{{1, Kind::integer, Times::oneof},
                          {2, Kind::real, Times::oneof},
                          {3, Kind::text, Times::oneof},
                          {4, Kind::flag, Times::oneof},
                          {5, Kind::message, Times::oneof, object_message},
                          {6, Kind::message, Times::oneof, list_message}}};
  return m;
}

const Message& attribute_message() {
  static const Message m = [] {
    Message all = value_message();
    all.fields.push_back({7, Kind::message, Times::oneof, time_message});
    all.fields.push_back({8, Kind::message, Times::oneof, time_message});
    all.fields.push_back({9, Kind::message, Times::oneof, array_message});
    return all;
  }();
  return m;
}

const Message& variable_message() {
  static const Message m{{{1, Kind::text},
                          {2, Kind::text},
                          {3, Kind::integer, Times::repeated},
                          {4, Kind::text, Times::repeated},
                          {5, Kind::flag},
                          {6, Kind::flag}}};
  return m;
}

const Message& coordinate_message() {
  static const Message m{{{1, Kind::text}, {2, Kind::message, Times::once, array_message}}};
  return m;
}

const Message& data_message() {
  static const Message m{{{1, Kind::text},
                          {2, Kind::message, Times::once, array_message},
                          {3, Kind::text, Times::repeated},
                          {4, Kind::flag}}};
  return m;
}

const Message& meta_message() {
  static const Message m{{{1, Kind::text},
                          {3, Kind::message, Times::repeated, variable_message},
                          {4, Kind::message, Times::repeated, coordinate_message},
                          {5, Kind::message, Times::map, attribute_message},
                          {6, Kind::message, Times::repeated, variable_message},
                          {7, Kind::message, Times::repeated, data_message}}};
  return m;
}

std::string varint_text(std::uint64_t v) {
  char buffer[10];
  return {buffer, wire::put_varint(buffer, v)};
}

std::string with_size(std::string_view content) { return varint_text(content.size()) + std::string(content); }

/// Puts the fields of one message into an order that is the same for equal messages.
class Canonical {
 public:
  Canonical(std::string_view bytes, const Message& message) : message_(message) {
    Reader(bytes, "invalid_protobuf").fields([this](Reader& r, unsigned number, Type type) {
      take(r, number, type);
      return true;
    });
  }

  std::string text() {
    std::string out;
    for (auto& [number, content] : known_) {
      const auto& field = *find(number);
      if (field.times == Times::map) continue;
      if (field.kind == Kind::message && field.times != Times::repeated)
        content = Canonical(content, field.message()).text();
      out += varint_text(number) + with_size(content);
    }
    for (const auto& [number, entries] : maps_) {
      for (const auto& [key, value] : entries) {
        out += varint_text(number) + with_size(key) + with_size(Canonical(value, find(number)->message()).text());
      }
    }
    for (const auto& [number, content] : unknown_) out += '\0' + varint_text(number) + with_size(content);
    return out;
  }

 private:
  const Field* find(unsigned number) const noexcept {
    const auto& all = message_.fields;
    const auto found = std::find_if(all.begin(), all.end(), [number](const Field& f) { return f.number == number; });
    return found == all.end() ? nullptr : &*found;
  }

  void take(Reader& r, unsigned number, Type type) {
    const auto* field = find(number);
    if (field == nullptr || !take_known(r, *field, type)) {
      const auto value = r.skipped(number, type);
      unknown_[number] += static_cast<char>(type) + with_size(value);
    }
  }

  /// False for another wire type than the field's: such a field is an unknown one.
  bool take_known(Reader& r, const Field& field, Type type) {
    if (field.kind == Kind::integer && field.times == Times::repeated) {
      return r.numbers(type, [&](std::uint64_t n) { known_[field.number] += varint_text(n); });
    }
    if (type != type_of(field.kind)) return false;
    if (field.times == Times::map) {
      take_entry(r.message(), maps_[field.number]);
    } else {
      put(field, content_of(r, field));
    }
    return true;
  }

  static Type type_of(Kind kind) noexcept {
    if (kind == Kind::real) return Type::fixed64;
    return kind == Kind::text || kind == Kind::message ? Type::length : Type::varint;
  }

  static std::string content_of(Reader& r, const Field& field) {
    if (field.kind == Kind::flag) return varint_text(r.varint() != 0 ? 1 : 0);
    if (field.kind == Kind::integer) return varint_text(r.varint());
    if (field.kind == Kind::real) return std::string(r.skipped(field.number, Type::fixed64));
    return std::string(r.bytes());
  }

  void put(const Field& field, const std::string& content) {
    if (field.times == Times::oneof && kind_ != field.number) {
      known_.erase(kind_);
      kind_ = field.number;
    }
    auto& to = known_[field.number];
    if (field.times == Times::repeated) {
      to += with_size(field.kind == Kind::message ? Canonical(content, field.message()).text() : content);
    } else if (field.kind == Kind::message) {
      to += content;  // parts of one message are merged, which for bytes means one behind the other
    } else {
      to = content;
      const bool is_default = content.empty() || (field.kind != Kind::text && content == std::string(1, '\0'));
      if (is_default && field.times == Times::once) known_.erase(field.number);
    }
  }

  static void take_entry(Reader entry, std::map<std::string, std::string>& entries) {
    std::string key;
    std::string value;
    entry.fields([&](Reader& r, unsigned number, Type type) {
      if (type != Type::length || number > 2) return false;
      if (number == 1) {
        key = r.text();
      } else {
        value += r.bytes();
      }
      return true;
    });
    entries[key] = value;
  }

  const Message& message_;
  std::map<unsigned, std::string> known_, unknown_;
  std::map<unsigned, std::map<std::string, std::string>> maps_;
  /// The member of the oneof that is set; 0 while there is none.
  unsigned kind_ = 0;
};

}  // namespace

bool is_equal_meta(std::string_view a, std::string_view b) {
  return a == b || Canonical(a, meta_message()).text() == Canonical(b, meta_message()).text();
}

}  // namespace mcbackend
