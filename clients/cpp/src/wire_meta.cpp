// RunMeta as protobuf. Parts of a message that occurs twice are merged, as parsers of protobuf do.
#include <algorithm>
#include <mcbackend/meta.hpp>

#include "wire.hpp"

namespace mcbackend {
namespace wire {
namespace {

constexpr const char* code = "invalid_protobuf";
/// Fields of a RunMeta at most, numbers among them: four times a server's limit. It bounds the memory that a few bytes
/// can ask for.
constexpr std::size_t max_fields = 1'000'000;
/// Messages within an attribute, as deep as a server takes them: two of its hundred lie around these.
constexpr int max_value_depth = 98;

Bytes encode(const Variable& v) {
  Bytes out;
  Writer w(out);
  w.bytes(1, v.name);
  w.bytes(2, name_of(v.dtype));
  w.packed(3, v.shape);
  for (const auto& dim : v.dims) w.present(4, dim);
  w.number(5, v.is_deterministic ? 1 : 0);
  w.number(6, v.undefined_ndim ? 1 : 0);
  return out;
}

std::vector<std::int64_t> strides_of(const MetaArray& a) {
  std::uint64_t elements = 1;
  for (const auto n : a.shape) elements *= static_cast<std::uint64_t>(n);
  std::uint64_t stride =
      elements == 0 ? size_of(dtype_of(a.dtype).value_or(DType::float64)) : a.bytes.size() / elements;
  std::vector<std::int64_t> strides(a.shape.size());
  for (std::size_t i = a.shape.size(); i-- > 0;) {
    strides[i] = static_cast<std::int64_t>(stride);
    stride *= static_cast<std::uint64_t>(a.shape[i]);
  }
  return strides;
}

Bytes encode(const MetaArray& a) {
  Bytes out;
  Writer w(out);
  w.bytes(1, {reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()});
  w.bytes(2, a.dtype);
  w.packed(3, a.shape);
  w.packed(4, strides_of(a));
  w.bytes(5, "C");
  return out;
}

Bytes encode(const Json& json);

Bytes encode(const Json::Object& object) {
  Bytes out;
  for (const auto& [key, value] : object) {
    Bytes entry;
    Writer(entry).bytes(1, key);
    Writer(entry).present(2, encode(value));
    Writer(out).present(1, entry);
  }
  return out;
}

Bytes encode(const Json::List& list) {
  Bytes out;
  for (const auto& value : list) Writer(out).present(1, encode(value));
  return out;
}

Bytes encode_time(std::int64_t seconds, std::int32_t nanos) {
  Bytes out;
  Writer(out).number(1, static_cast<std::uint64_t>(seconds));
  Writer(out).number(2, static_cast<std::uint64_t>(std::int64_t{nanos}));
  return out;
}

/// Writes the member of google.protobuf.Value, or of the first six of ExtendedValue, which have the same numbers.
struct KindWriter {
  Writer w;

  void operator()(std::monostate) const noexcept {}
  void operator()(std::nullptr_t) { w.present_number(1, 0); }
  void operator()(double v) { w.present_double(2, v); }
  void operator()(const std::string& v) { w.present(3, v); }
  void operator()(bool v) { w.present_number(4, v ? 1 : 0); }
  void operator()(const Json::Object& v) { w.present(5, encode(v)); }
  void operator()(const Json::List& v) { w.present(6, encode(v)); }
  void operator()(const Timestamp& v) { w.present(7, encode_time(v.seconds, v.nanos)); }
  void operator()(const Duration& v) { w.present(8, encode_time(v.seconds, v.nanos)); }
  void operator()(const MetaArray& v) { w.present(9, encode(v)); }
};

Bytes encode(const Json& json) {
  Bytes out;
  std::visit(KindWriter{Writer(out)}, json.value);
  return out;
}

Bytes encode(const Attribute& attribute) {
  Bytes out;
  std::visit(KindWriter{Writer(out)}, attribute);
  return out;
}

/// Reads the messages of a RunMeta, and counts their fields.
class MetaReader {
 public:
  RunMeta run_meta(std::string_view bytes);

 private:
  void count(Reader& r) {
    if (++fields_ > max_fields) r.fail("the metadata has too many fields");
  }
  /// As Reader::fields, with the fields counted.
  template <class F>
  void fields(Reader message, F f) {
    message.fields([&](Reader& r, unsigned field, Type type) {
      count(r);
      return f(r, field, type);
    });
  }
  bool dimensions(Reader& r, Type type, Shape& to) {
    return r.numbers(type, [&](std::uint64_t n) {
      count(r);
      to.push_back(static_cast<std::int64_t>(n));
    });
  }
  void variable(Reader message, Variable& to);
  void array(Reader message, MetaArray& to);
  void coordinate(Reader message, Coordinate& to);
  void data_variable(Reader message, DataVariable& to);
  void attribute_entry(Reader message, std::map<std::string, Attribute>& to);
  void attribute(Reader message, Attribute& to);
  template <class Time>
  void time(Reader message, Time& to);
  void json(Reader message, Json& to, int depth);
  void object(Reader message, Json::Object& to, int depth);
  void list(Reader message, Json::List& to, int depth);
  template <class V>
  bool plain_kind(Reader& r, unsigned field, Type type, V& to);

  std::size_t fields_ = 0;
};

/// The member of a oneof: the one that is there already, so that a second part is merged into it, else a new one.
template <class T, class V>
T& member(V& oneof) {
  if (auto* present = std::get_if<T>(&oneof)) return *present;
  return oneof.template emplace<T>();
}

void MetaReader::variable(Reader message, Variable& to) {
  std::string dtype;
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (field == 3) return dimensions(r, type, to.shape);
    if (field == 5 || field == 6) {
      if (type != Type::varint) return false;
      (field == 5 ? to.is_deterministic : to.undefined_ndim) = r.varint() != 0;
      return true;
    }
    if (type != Type::length) return false;
    if (field == 1) {
      to.name = r.text();
    } else if (field == 2) {
      dtype = r.text();
    } else if (field == 4) {
      to.dims.emplace_back(r.text());
    } else {
      return false;
    }
    return true;
  });
  const auto known = dtype_of(dtype);
  if (!known)
    throw Error("unsupported_dtype", "variable \"" + to.name + "\": dtype \"" + dtype + "\" is not supported");
  to.dtype = *known;
}

void MetaReader::array(Reader message, MetaArray& to) {
  Shape strides;  // read, since they might be malformed, and thrown away: the elements are in C order whatever they say
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (field == 3) return dimensions(r, type, to.shape);
    if (field == 4) return dimensions(r, type, strides);
    if (type != Type::length) return false;
    if (field == 1) {
      const auto data = r.bytes();
      const auto* bytes = reinterpret_cast<const std::byte*>(data.data());
      to.bytes.assign(bytes, bytes + data.size());
    } else if (field == 2) {
      to.dtype = r.text();
    } else if (field == 5) {
      r.text();
    } else {
      return false;
    }
    return true;
  });
}

void MetaReader::coordinate(Reader message, Coordinate& to) {
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (type != Type::length) return false;
    if (field == 1) {
      to.name = r.text();
    } else if (field == 2) {
      array(r.message(), to.values);
    } else {
      return false;
    }
    return true;
  });
}

void MetaReader::data_variable(Reader message, DataVariable& to) {
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (type == Type::varint && field == 4) {
      to.is_observed = r.varint() != 0;
      return true;
    }
    if (type != Type::length) return false;
    if (field == 1) {
      to.name = r.text();
    } else if (field == 2) {
      array(r.message(), to.value);
    } else if (field == 3) {
      to.dims.emplace_back(r.text());
    } else {
      return false;
    }
    return true;
  });
}

/// Members that Value and ExtendedValue have in common and that hold no message.
template <class V>
bool MetaReader::plain_kind(Reader& r, unsigned field, Type type, V& to) {
  if (field == 1 && type == Type::varint) {
    r.varint();
    to = nullptr;
  } else if (field == 2 && type == Type::fixed64) {
    to = r.real();
  } else if (field == 3 && type == Type::length) {
    to = std::string(r.text());
  } else if (field == 4 && type == Type::varint) {
    to = r.varint() != 0;
  } else {
    return false;
  }
  return true;
}

void MetaReader::json(Reader message, Json& to, int depth) {
  if (depth > max_value_depth) message.fail("values are nested too deep");
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (field == 5 && type == Type::length) {
      object(r.message(), member<Json::Object>(to.value), depth + 1);
    } else if (field == 6 && type == Type::length) {
      list(r.message(), member<Json::List>(to.value), depth + 1);
    } else {
      return plain_kind(r, field, type, to.value);
    }
    return true;
  });
}

void MetaReader::object(Reader message, Json::Object& to, int depth) {
  if (depth > max_value_depth) message.fail("values are nested too deep");
  fields(message, [&](Reader& entries, unsigned entry_field, Type entry_type) {
    if (entry_field != 1 || entry_type != Type::length) return false;
    std::string key;
    Json value;
    fields(entries.message(), [&](Reader& r, unsigned field, Type type) {
      if (type != Type::length) return false;
      if (field == 1) {
        key = r.text();
      } else if (field == 2) {
        json(r.message(), value, depth + 2);
      } else {
        return false;
      }
      return true;
    });
    to.insert_or_assign(std::move(key), std::move(value));
    return true;
  });
}

void MetaReader::list(Reader message, Json::List& to, int depth) {
  if (depth > max_value_depth) message.fail("values are nested too deep");
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (field != 1 || type != Type::length) return false;
    json(r.message(), to.emplace_back(), depth + 1);
    return true;
  });
}

template <class Time>
void MetaReader::time(Reader message, Time& to) {
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (type != Type::varint) return false;
    if (field == 1) {
      to.seconds = static_cast<std::int64_t>(r.varint());
    } else if (field == 2) {
      to.nanos = static_cast<std::int32_t>(static_cast<std::uint32_t>(r.varint()));
    } else {
      return false;
    }
    return true;
  });
}

void MetaReader::attribute(Reader message, Attribute& to) {
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (field < 5) return plain_kind(r, field, type, to);
    if (type != Type::length) return false;
    if (field == 5) {
      object(r.message(), member<Json::Object>(to), 1);
    } else if (field == 6) {
      list(r.message(), member<Json::List>(to), 1);
    } else if (field == 7) {
      time(r.message(), member<Timestamp>(to));
    } else if (field == 8) {
      time(r.message(), member<Duration>(to));
    } else if (field == 9) {
      array(r.message(), member<MetaArray>(to));
    } else {
      return false;
    }
    return true;
  });
}

void MetaReader::attribute_entry(Reader message, std::map<std::string, Attribute>& to) {
  std::string key;
  Attribute value;
  fields(message, [&](Reader& r, unsigned field, Type type) {
    if (type != Type::length) return false;
    if (field == 1) {
      key = r.text();
    } else if (field == 2) {
      attribute(r.message(), value);
    } else {
      return false;
    }
    return true;
  });
  to.insert_or_assign(std::move(key), std::move(value));
}

RunMeta MetaReader::run_meta(std::string_view bytes) {
  RunMeta meta;
  fields(Reader(bytes, code), [&](Reader& r, unsigned field, Type type) {
    if (type != Type::length) return false;
    if (field == 1) {
      meta.rid = r.text();
    } else if (field == 3) {
      variable(r.message(), meta.variables.emplace_back());
    } else if (field == 4) {
      coordinate(r.message(), meta.coordinates.emplace_back());
    } else if (field == 5) {
      attribute_entry(r.message(), meta.attributes);
    } else if (field == 6) {
      variable(r.message(), meta.sample_stats.emplace_back());
    } else if (field == 7) {
      data_variable(r.message(), meta.data.emplace_back());
    } else {
      return false;
    }
    return true;
  });
  return meta;
}

}  // namespace
}  // namespace wire

std::string encode_meta(const RunMeta& meta) {
  wire::Bytes out;
  wire::Writer w(out);
  w.bytes(1, meta.rid);
  for (const auto& v : meta.variables) w.present(3, wire::encode(v));
  for (const auto& c : meta.coordinates) {
    wire::Bytes body;
    wire::Writer(body).bytes(1, c.name);
    wire::Writer(body).present(2, wire::encode(c.values));
    w.present(4, body);
  }
  for (const auto& [key, value] : meta.attributes) {
    wire::Bytes entry;
    wire::Writer(entry).bytes(1, key);
    wire::Writer(entry).present(2, wire::encode(value));
    w.present(5, entry);
  }
  for (const auto& v : meta.sample_stats) w.present(6, wire::encode(v));
  for (const auto& d : meta.data) {
    wire::Bytes body;
    wire::Writer b(body);
    b.bytes(1, d.name);
    b.present(2, wire::encode(d.value));
    for (const auto& dim : d.dims) b.present(3, dim);
    b.number(4, d.is_observed ? 1 : 0);
    w.present(7, body);
  }
  return std::string(wire::text_of(out));
}

RunMeta decode_meta(std::string_view bytes) { return wire::MetaReader().run_meta(bytes); }

}  // namespace mcbackend
