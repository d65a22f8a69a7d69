// Bytes that are nearly messages: each is read or refused, and asks for no more memory than bytes can stand for.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mcbackend/mcbackend.hpp>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "draw_buffer.hpp"
#include "golden.hpp"
#include "json.hpp"
#include "random_draws.hpp"
#include "registration.hpp"
#include "wire_batch.hpp"

namespace {

/// Bytes of the largest block that was asked for.
std::atomic<std::size_t> largest{0};

}  // namespace

// Not inlined, since a compiler that sees new and free side by side takes them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size > largest) largest = size;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace mcbackend::test {
namespace {

constexpr int rounds = 300;
/// Bytes of a block at most, for each byte of a message, and beside them.
constexpr std::size_t most_per_byte = 400;
constexpr std::size_t most_beside = 16384;

/// Changes some bytes, cuts the end off, doubles a part, or puts a large number in.
std::string mutated(std::string bytes, std::mt19937& random) {
  for (unsigned i = 0; i <= random() % 4 && !bytes.empty(); ++i) {
    const auto at = random() % bytes.size();
    const auto size = random() % 12;
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, size));
        break;
      default:
        bytes.replace(at, std::min<std::size_t>(size, bytes.size() - at), "\xff\xff\xff\xff\x7f");
    }
  }
  return bytes;
}

template <class Read>
void expect_bounded(const std::string& bytes, Read read) {
  largest = 0;
  try {
    read(bytes);
  } catch (const Error& error) {
    EXPECT_FALSE(error.code().empty());
  }
  EXPECT_LE(largest, most_beside + most_per_byte * bytes.size());
}

TEST(Fuzz, Metadata) {
  std::mt19937 random(1);
  for (const auto& name : golden_names("runmeta")) {
    const auto bytes = golden_bytes("runmeta", name);
    for (int i = 0; i < rounds / 5; ++i) {
      expect_bounded(mutated(bytes, random), [&](const std::string& given) {
        const auto meta = decode_meta(given);
        is_equal_meta(bytes, given);
        encode_meta(meta);
        schema_of(meta);
        for (const auto& c : meta.coordinates) c.values.to_array();
        for (const auto& d : meta.data) d.value.to_array();
      });
    }
  }
}

void read_all(const Schema& schema, const std::string& bytes) {
  const auto batch = wire::decode_batch(bytes);
  // A reader knows how many draws it asked for.
  if (batch.count > 100) return;
  for (const auto& column : schema.draws()) {
    const auto* found = batch.find_draw(column.name);
    if (found == nullptr) continue;
    try {
      wire::listed_draws(*found, column, batch.count);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "invalid_answer");
    }
  }
}

TEST(Fuzz, Batches) {
  const auto meta = decode_meta(golden_bytes("runmeta", "variables"));
  const auto all = everything();
  const auto schema = schema_of(meta);
  const auto all_schema = schema_of(all);
  std::mt19937 random(2);
  for (const auto& name : golden_names("draws")) {
    const auto bytes = golden_bytes("draws", name);
    for (int i = 0; i < rounds; ++i) {
      expect_bounded(mutated(bytes, random), [&](const std::string& given) { read_all(*schema, given); });
    }
  }
  RandomDraws draws(9);
  DrawBuffer buffer(all_schema);
  for (int i = 0; i < 3; ++i) buffer.put(named(all.variables, draws.row(all.variables)), {});
  wire::Bytes ours;
  buffer.encode(ours, 0);
  const std::string bytes(wire::text_of(ours));
  for (int i = 0; i < 3 * rounds; ++i) {
    expect_bounded(mutated(bytes, random), [&](const std::string& given) { read_all(*all_schema, given); });
  }
}

TEST(Fuzz, Answers) {
  std::mt19937 random(3);
  const std::string text =
      R"({"runs":[{"rid":"r","draws":8000,"name":"\u00e9\ud83d\ude00","tags":[],"x":[1.5e-3,null,true]}],"nextCursor":"2"})";
  for (int i = 0; i < 10 * rounds; ++i) {
    expect_bounded(mutated(text, random), [](const std::string& given) { json::dump(json::parse(given)); });
  }
}

}  // namespace
}  // namespace mcbackend::test
