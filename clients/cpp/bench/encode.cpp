// Encoding of a batch against memcpy of the same bytes.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <mcbackend/mcbackend.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "draw_buffer.hpp"

namespace {

using mcbackend::NamedValue;

constexpr std::string_view help =
    "Encodes a batch of 1 MiB (9 values of float64 a draw) and copies as many bytes by memcpy, in turns, between the "
    "same\n"
    "pages. Prints the medians, in microseconds of the thread's CPU, and their ratio (goal: at least 0.7).\n\n"
    "  bench_encode [rounds, 2001]\n";

constexpr std::size_t variables = 9;
constexpr std::size_t batch_bytes = std::size_t{1} << 20;

double cpu_microseconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double time_of(const std::function<void()>& work) {
  const auto begin = cpu_microseconds();
  work();
  return cpu_microseconds() - begin;
}

double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void fill(mcbackend::DrawBuffer& buffer, const mcbackend::RunMeta& meta) {
  for (double x = 0; buffer.bytes() < batch_bytes; ++x) {
    std::vector<NamedValue> draw;
    draw.reserve(meta.variables.size());
    for (const auto& v : meta.variables) draw.push_back({v.name, x});
    buffer.put(draw, {});
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--help") {
    std::cout << help;
    return 0;
  }
  try {
    const auto rounds = static_cast<std::size_t>(argc > 1 ? std::stoul(argv[1]) : 2001);
    mcbackend::RunMeta meta;
    for (std::size_t i = 0; i < variables; ++i) meta.variables.emplace_back("x" + std::to_string(i));
    mcbackend::DrawBuffer buffer(mcbackend::schema_of(meta));
    fill(buffer, meta);
    mcbackend::wire::Bytes out;
    buffer.encode(out, 0);
    // As many bytes, in as many blocks, to the place where the encoded batch lies.
    const auto block = buffer.bytes() / variables;
    std::vector<std::vector<std::uint8_t>> columns(variables, std::vector<std::uint8_t>(block, 1));
    std::vector<double> encoding;
    std::vector<double> copying;
    for (std::size_t i = 0; i < rounds; ++i) {
      encoding.push_back(time_of([&] { buffer.encode(out, i); }));
      copying.push_back(time_of([&] {
        for (std::size_t k = 0; k < variables; ++k) std::memcpy(out.data() + k * block, columns[k].data(), block);
      }));
    }
    const auto ratio = median(copying) / median(encoding);
    std::cout << "batch " << out.size() << " bytes, encode " << median(encoding) << " us, memcpy " << median(copying)
              << " us, ratio " << ratio << '\n';
  } catch (const std::exception& error) {
    std::cerr << "bench_encode: " << error.what() << '\n' << help;
    return 2;
  }
  return 0;
}
