// The golden files of conformance/golden: bytes and values that were not made by this library.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"

namespace mcbackend::test {

inline std::filesystem::path golden_folder() {
  const char* given = std::getenv("MCB_GOLDEN");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(MCBACKEND_CHECKOUT) / "conformance" / "golden" / "files";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path.string() + ": MCB_GOLDEN may name the folder of golden files");
  return {std::istreambuf_iterator<char>(file), {}};
}

inline json::Value read_json(const std::filesystem::path& path) { return json::parse(read_file(path)); }

/// Stems of the files `folder/prefix*.bin`, sorted.
inline std::vector<std::string> golden_names(std::string_view folder, std::string_view prefix = "") {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / folder)) {
    const auto name = entry.path().stem().string();
    if (entry.path().extension() == ".bin" && name.compare(0, prefix.size(), prefix) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string golden_bytes(std::string_view folder, const std::string& name) {
  return read_file(golden_folder() / folder / (name + ".bin"));
}

inline json::Value golden_json(std::string_view folder, const std::string& name) {
  return read_json(golden_folder() / folder / (name + ".json"));
}

inline std::string hex_of(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += digits[static_cast<unsigned char>(c) >> 4];
    hex += digits[static_cast<unsigned char>(c) & 15U];
  }
  return hex;
}

inline std::string hex_of(const std::vector<std::byte>& bytes) {
  return hex_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// A member that must be there.
inline const json::Value& at(const json::Value& object, std::string_view name) {
  const auto* member = object.find(name);
  if (member == nullptr) throw std::runtime_error("a golden file has no member " + std::string(name));
  return *member;
}

}  // namespace mcbackend::test
