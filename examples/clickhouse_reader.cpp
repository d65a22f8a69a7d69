// Reads the draws of one variable out of ClickHouse: the view `draws` of docs/sql.md, asked over HTTP from C++17 and libcurl alone.
//
//   g++ -std=c++17 -O2 examples/clickhouse_reader.cpp -o clickhouse_reader -lcurl
//   CLICKHOUSE_URL=http://127.0.0.1:8123 ./clickhouse_reader eight-schools theta
#include <curl/curl.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* kUsage =
    "usage: clickhouse_reader RUN VARIABLE [TENANT]   TENANT: [local]\n\n"
    "Prints a line a draw: its chain, its number and its elements, between tabs. ClickHouse is told by CLICKHOUSE_URL,\n"
    "CLICKHOUSE_DATABASE [mcbackend], CLICKHOUSE_USER [default] and CLICKHOUSE_PASSWORD.\n";

// Rows come in the order of the draws, so that vectors only grow. The casts fix the bytes of a row, whatever the view has.
constexpr const char* kQuery =
    "SELECT toUInt32(chain), toUInt64(draw), toUInt32(index), toFloat64(value) FROM draws"
    " WHERE tenant = {tenant:String} AND run = {run:String} AND variable = {variable:String} AND NOT is_warmup"
    " ORDER BY chain, draw, index FORMAT RowBinary";
constexpr std::size_t kRowBytes = 4 + 8 + 4 + 8;
constexpr std::size_t kErrorBytes = 4096;

// Elements in C order, by chain and by draw. A draw without elements has no row, and is not in here.
using Draws = std::map<std::uint32_t, std::map<std::uint64_t, std::vector<double>>>;

struct Answer {
  CURL* curl;
  Draws draws;
  // A row whose other bytes have not come yet, or the text of an error.
  std::string rest;
};

// A number as RowBinary has it: little-endian, as this machine has to be.
template <typename Number>
Number number_at(const char*& at) {
  Number number;
  std::memcpy(&number, at, sizeof number);
  at += sizeof number;
  return number;
}

// Takes the whole rows of what has come. Called by libcurl for each piece of a body.
std::size_t take(char* bytes, std::size_t, std::size_t count, void* target) try {
  auto& [curl, draws, rest] = *static_cast<Answer*>(target);
  rest.append(bytes, count);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    if (rest.size() > kErrorBytes) rest.resize(kErrorBytes);
    return count;
  }
  const char* at = rest.data();
  const char* const end = at + rest.size() / kRowBytes * kRowBytes;
  while (at < end) {
    const auto chain = number_at<std::uint32_t>(at);
    const auto draw = number_at<std::uint64_t>(at);
    at += sizeof(std::uint32_t);  // The index: rows of a draw come in its order.
    draws[chain][draw].push_back(number_at<double>(at));
  }
  rest.erase(0, static_cast<std::size_t>(end - rest.data()));
  return count;
} catch (const std::exception&) {
  return 0;  // No memory. libcurl, which is C, ends the transfer with an error of its own.
}

// A parameter of the URL. Values of parameters are in the escapes of tab-separated text, which are percent-encoded then.
std::string parameter(CURL* curl, std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '\t' || c == '\n') escaped += '\\';
    escaped += c == '\t' ? 't' : c == '\n' ? 'n' : c;
  }
  const std::unique_ptr<char, decltype(&curl_free)> encoded{
      curl_easy_escape(curl, escaped.data(), static_cast<int>(escaped.size())), curl_free};
  return std::string{"&"}.append(name).append("=").append(encoded.get());
}

std::string setting(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

Draws read(const std::string& run, const std::string& variable, const std::string& tenant) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{curl_easy_init(), curl_easy_cleanup};
  if (curl == nullptr) throw std::runtime_error("libcurl cannot be initialised");
  // With wait_end_of_query, an error in the middle has a status of its own, and is no answer that ends early.
  const std::string url = setting("CLICKHOUSE_URL", "http://127.0.0.1:8123") + "/?wait_end_of_query=1" +
                          parameter(curl.get(), "database", setting("CLICKHOUSE_DATABASE", "mcbackend")) +
                          parameter(curl.get(), "param_tenant", tenant) + parameter(curl.get(), "param_run", run) +
                          parameter(curl.get(), "param_variable", variable);
  const std::string user = setting("CLICKHOUSE_USER", "default");
  const std::string password = setting("CLICKHOUSE_PASSWORD", "");
  Answer answer{curl.get(), {}, {}};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_USERNAME, user.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, password.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, kQuery);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  const CURLcode failure = curl_easy_perform(curl.get());
  if (failure != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(failure));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) throw std::runtime_error("ClickHouse answers " + std::to_string(status) + ": " + answer.rest);
  const char* type = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_CONTENT_TYPE, &type);
  if (type == nullptr || std::string_view{type} != "application/octet-stream") {
    throw std::runtime_error(url + " does not answer as ClickHouse does; see CLICKHOUSE_URL");
  }
  if (!answer.rest.empty()) throw std::runtime_error("the answer ends within a row");
  return std::move(answer.draws);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const bool help = args.size() == 1 && args[0] == "--help";
  if (help || args.size() < 2 || args.size() > 3) {
    std::fputs(kUsage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  try {
    for (const auto& [chain, draws] : read(args[0], args[1], args.size() == 3 ? args[2] : "local")) {
      for (const auto& [draw, elements] : draws) {
        std::printf("%u\t%llu", chain, static_cast<unsigned long long>(draw));
        for (const double element : elements) std::printf("\t%.17g", element);
        std::putchar('\n');
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "clickhouse_reader: %s\n", error.what());
    return 1;
  }
}
