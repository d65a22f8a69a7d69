// A second opinion: the official runtime of protobuf reads what this library writes, and the reverse. Its messages are
// made from the schema at run time, since generated classes would have the names of this library's own.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <mcbackend/mcbackend.hpp>
#include <memory>
#include <string>
#include <vector>

#include "draw_buffer.hpp"
#include "golden.hpp"
#include "random_draws.hpp"
#include "registration.hpp"
#include "wire_batch.hpp"

namespace mcbackend::test {
namespace {

namespace pb = google::protobuf;

/// Messages of the schema by name, from the descriptors that protoc wrote when this was built.
class Official {
 public:
  Official() {
    pb::FileDescriptorSet files;
    if (!files.ParseFromString(read_file(MCBACKEND_DESCRIPTORS))) throw std::runtime_error("no descriptors");
    for (const auto& file : files.file()) {
      if (pool_.BuildFile(file) == nullptr) throw std::runtime_error("the schema cannot be read: " + file.name());
    }
  }

  /// Null for bytes that are no such message.
  std::unique_ptr<pb::Message> parse(const std::string& name, const std::string& bytes) {
    const auto* type = pool_.FindMessageTypeByName("mcbackend." + name);
    if (type == nullptr) throw std::runtime_error("the schema has no " + name);
    std::unique_ptr<pb::Message> message(factory_.GetPrototype(type)->New());
    if (!message->ParseFromString(bytes)) return nullptr;
    return message;
  }

 private:
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
};

/// Bytes with sorted maps.
std::string written(const pb::Message& message) {
  std::string bytes;
  {
    pb::io::StringOutputStream stream(&bytes);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

/// Clears what this library does not keep: fields that it does not know, and how arrays lay in their writer's memory.
void clear_unkept(pb::Message& message) {
  const auto* reflection = message.GetReflection();
  reflection->MutableUnknownFields(&message)->Clear();
  if (message.GetDescriptor()->full_name() == "npproto.ndarray") {
    reflection->ClearField(&message, message.GetDescriptor()->FindFieldByName("strides"));
    reflection->ClearField(&message, message.GetDescriptor()->FindFieldByName("order"));
    return;
  }
  std::vector<const pb::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      clear_unkept(*reflection->MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      clear_unkept(*reflection->MutableRepeatedMessage(&message, field, i));
    }
  }
}

TEST(Protobuf, GoldenMetadataIsTheSameMessageAfterItWasWrittenHere) {
  Official official;
  for (const auto& name : golden_names("runmeta")) {
    SCOPED_TRACE(name);
    // Values without a kind stand for null within lists and objects, and are written as such.
    if (name == "attributes-without-kind") continue;
    const auto bytes = golden_bytes("runmeta", name);
    const auto original = official.parse("RunMeta", bytes);
    const auto ours = official.parse("RunMeta", encode_meta(decode_meta(bytes)));
    ASSERT_NE(original, nullptr);
    ASSERT_NE(ours, nullptr);
    clear_unkept(*original);
    clear_unkept(*ours);
    EXPECT_EQ(written(*original), written(*ours));
  }
}

TEST(Protobuf, MetadataWrittenByEitherIsReadByTheOther) {
  Official official;
  RandomDraws draws(7);
  for (int round = 0; round < 20; ++round) {
    auto meta = everything();
    meta.rid = random_id();
    for (auto& v : meta.variables) {
      v.is_deterministic = draws.random()() % 2 == 0;
      if (draws.random()() % 2 == 0) v.dims = {"a", ""};
      if (v.is_rigid() && v.dtype != DType::str)
        meta.data.push_back({v.name, draws.draw_of(v), v.dims, v.is_deterministic});
    }
    meta.coordinates = {{"school", std::vector<std::string>{"Choate", "Ærø 😀", ""}}};
    meta.attributes["number"] = -0.0;
    meta.attributes["text"] = std::string("μ\0", 3);
    meta.attributes["object"] = Json::Object{{"list", {Json::List{{nullptr}, {true}, {1e300}}}}, {"", {std::string()}}};
    meta.attributes["time"] = Timestamp{-1, 999'999'999};
    meta.attributes["length"] = Duration{-3, -5};
    meta.attributes["array"] = MetaArray(std::vector<std::int64_t>{1, -1});
    const auto ours = encode_meta(meta);
    const auto message = official.parse("RunMeta", ours);
    ASSERT_NE(message, nullptr);
    const auto theirs = written(*message);
    EXPECT_TRUE(is_equal_meta(ours, theirs));
    EXPECT_EQ(encode_meta(decode_meta(theirs)), ours);
  }
}

TEST(Protobuf, BatchesWrittenByEitherAreReadByTheOther) {
  Official official;
  const auto meta = everything();
  const auto schema = schema_of(meta);
  RandomDraws draws(8);
  for (int round = 0; round < 10; ++round) {
    DrawBuffer buffer(schema);
    Rows rows;
    for (int i = 0; i <= round; ++i) {
      rows.push_back(draws.row(meta.variables));
      buffer.put(named(meta.variables, rows.back()), named(meta.sample_stats, draws.row(meta.sample_stats)));
    }
    wire::Bytes ours;
    buffer.encode(ours, std::uint64_t{1} << 53);
    const auto message = official.parse("DrawBatch", std::string(wire::text_of(ours)));
    ASSERT_NE(message, nullptr);
    const auto theirs = written(*message);
    EXPECT_EQ(theirs.size(), ours.size());
    const auto batch = wire::decode_batch(theirs);
    EXPECT_EQ(batch.start, std::uint64_t{1} << 53);
    ASSERT_EQ(batch.count, rows.size());
    for (std::size_t c = 0; c < meta.variables.size(); ++c) {
      const auto list = wire::listed_draws(batch.draws[c], schema->draws()[c], batch.count);
      for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(list[i], rows[i][c]) << meta.variables[c].name;
    }
  }
}

}  // namespace
}  // namespace mcbackend::test
