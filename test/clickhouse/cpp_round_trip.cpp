// The C++ client in front of ClickHouse, for cpp-client.test.ts: four threads append to a chain each, and what they have appended is
// read back by another backend.
//
//   cpp_round_trip RID DRAWS
//
// MCB_URL names the server. Prints "half" when half of all draws are durable, and "equal" at its end.
#include <mcbackend/mcbackend.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using mcbackend::Chain;
using mcbackend::DType;
using mcbackend::NdArray;

constexpr std::int32_t kChains = 4;

// Values of one iteration. The test in TypeScript has the same formulas.
struct Draw {
  double mu;
  std::vector<std::int16_t> matrix;
  std::uint64_t big;
  std::vector<float> ragged;
  std::string word;
  bool tune;

  Draw(std::int32_t chain, std::int32_t i)
      : mu(i % 7 == 0 ? std::numeric_limits<double>::quiet_NaN() : i % 7 == 1 ? -0.0 : i / 3.0 + chain),
        big(std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(i)),
        word(i % 5 == 0 ? "" : "μ" + std::to_string(i)),
        tune(i < 10) {
    for (int k = 0; k < 6; ++k) matrix.push_back(static_cast<std::int16_t>(1000 * k - i));
    for (int k = 0; k < i % 4; ++k) ragged.push_back(static_cast<float>(i) + 0.25F * static_cast<float>(k));
  }
};

mcbackend::RunMeta meta_of(const std::string& rid) {
  mcbackend::RunMeta meta;
  meta.rid = rid;
  meta.variables = {{"mu"},
                    {"matrix", DType::int16, {2, 3}},
                    {"big", DType::uint64},
                    {"ragged", DType::float32, {-1}},
                    {"word", DType::str}};
  meta.sample_stats = {{"tune", DType::bool_}, {"lp"}};
  return meta;
}

void append(Chain& chain, std::int32_t from, std::int32_t to) {
  for (std::int32_t i = from; i < to; ++i) {
    const Draw draw{chain.number(), i};
    chain.append({{"mu", draw.mu},
                  {"matrix", draw.matrix},
                  {"big", draw.big},
                  {"ragged", draw.ragged},
                  {"word", draw.word}},
                 {{"tune", draw.tune}, {"lp", draw.mu}});
  }
  chain.flush();
}

// Runs something for each chain in a thread of its own, and waits for all. @throws the exception of the first one that fails
template <class Work>
void for_each_chain(Work work) {
  std::vector<std::future<void>> threads;
  for (std::int32_t number = 0; number < kChains; ++number) {
    threads.push_back(std::async(std::launch::async, [=] { work(number); }));
  }
  for (auto& thread : threads) thread.get();
}

void demand(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what + " is not what was appended");
}

void compare(Chain& chain, std::int32_t count) {
  std::vector<double> mu;
  std::vector<std::int16_t> matrix;
  std::vector<std::uint64_t> big;
  std::vector<std::string> word;
  const auto ragged = chain.get_draws_list("ragged");
  demand(chain.length() == static_cast<std::uint64_t>(count), "the length");
  demand(ragged.size() == static_cast<std::size_t>(count), "the number of ragged draws");
  for (std::int32_t i = 0; i < count; ++i) {
    const Draw draw{chain.number(), i};
    mu.push_back(draw.mu);
    matrix.insert(matrix.end(), draw.matrix.begin(), draw.matrix.end());
    big.push_back(draw.big);
    word.push_back(draw.word);
    demand(ragged[static_cast<std::size_t>(i)] == NdArray::of(draw.ragged), "ragged");
  }
  demand(chain.get_draws("mu") == NdArray::of({count}, mu), "mu");
  demand(chain.get_stats("lp") == NdArray::of({count}, mu), "lp");
  demand(chain.get_draws("matrix") == NdArray::of({count, 2, 3}, matrix), "matrix");
  demand(chain.get_draws("big") == NdArray::of({count}, big), "big");
  demand(chain.get_draws("word") == NdArray::of({count}, word), "word");
}

void round_trip(const std::string& rid, std::int32_t count) {
  auto options = mcbackend::HttpOptions::from_environment();
  options.flush.count = 200;
  options.retry.base = std::chrono::milliseconds{20};
  options.retry.cap = std::chrono::milliseconds{500};
  const auto run = mcbackend::http_backend(options)->init_run(meta_of(rid));
  std::vector<std::shared_ptr<Chain>> chains;
  for (std::int32_t number = 0; number < kChains; ++number) chains.push_back(run->init_chain(number));
  const auto appended = [&chains](std::int32_t number) -> Chain& { return *chains[static_cast<std::size_t>(number)]; };
  for_each_chain([&](std::int32_t number) { append(appended(number), 0, count / 2); });
  std::puts("half");
  std::fflush(stdout);
  for_each_chain([&](std::int32_t number) {
    append(appended(number), count / 2, count);
    appended(number).close();
  });

  const auto again = mcbackend::http_backend(options)->get_run(rid);
  if (again == nullptr) throw std::runtime_error("the run is not there");
  for (const auto& chain : again->get_chains()) compare(*chain, count);
  demand(again->get_chains().size() == kChains, "the number of chains");
  std::puts("equal");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: cpp_round_trip RID DRAWS   MCB_URL names the server\n", stderr);
    return 2;
  }
  try {
    round_trip(argv[1], std::atoi(argv[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cpp_round_trip: %s\n", error.what());
    return 1;
  }
}
