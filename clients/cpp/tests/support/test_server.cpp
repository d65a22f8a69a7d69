#include "test_server.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX has it in no header

namespace mcbackend::test {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing writes the environment
  return value == nullptr ? "" : value;
}

fs::path checkout() {
  const auto given = variable("MCB_CHECKOUT");
  return given.empty() ? fs::path(MCBACKEND_CHECKOUT) : fs::path(given);
}

/// Node of the checkout, which runs TypeScript; MCB_NODE names another one.
fs::path node() {
  const auto given = variable("MCB_NODE");
  return given.empty() ? checkout() / "node_modules" / ".bin" / "node" : fs::path(given);
}

void require(bool is_well, const char* what) {
  if (!is_well) throw std::runtime_error(std::string("the test server: ") + what);
}

}  // namespace

std::string TestServer::impossible() {
  std::error_code error;
  if (!fs::exists(node(), error)) return node().string() + " is not there: run npm ci, or set MCB_NODE or MCB_CHECKOUT";
  const auto entry = checkout() / "src" / "node.ts";
  if (variable("MCB_URL").empty() && !fs::exists(entry, error)) {
    return entry.string() + " is not there: set MCB_CHECKOUT, or MCB_URL to a server without keys";
  }
  return "";
}

TestServer::TestServer(const std::vector<std::string>& options) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c)
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  require(pipe2(to.data(), O_CLOEXEC) == 0 && pipe2(from.data(), O_CLOEXEC) == 0, "no pipes");
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  std::vector<std::string> words{node().string(), std::string(MCBACKEND_TESTS) + "/support/server.mjs"};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int code = posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(to[0]);
  ::close(from[1]);
  input_ = to[1];
  output_ = from[0];
  require(code == 0, "node cannot be started");
  places_ = json::parse(read_line());
}

TestServer::~TestServer() {
  ::close(input_);
  ::close(output_);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

TestServer& TestServer::shared() {
  static TestServer server;
  server.reset();
  return server;
}

std::string TestServer::read_line() {
  for (;;) {
    const auto end = read_.find('\n');
    if (end != std::string::npos) {
      auto line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> some{};
    const auto size = ::read(output_, some.data(), some.size());
    require(size > 0, "it has ended; its errors are above");
    read_.append(some.data(), static_cast<std::size_t>(size));
  }
}

json::Value TestServer::command(const json::Object& members) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto line = json::dump(members) + '\n';
  require(::write(input_, line.data(), line.size()) == static_cast<ssize_t>(line.size()), "it has ended");
  return json::parse(read_line());
}

void TestServer::plan(const std::string& fault, int count, const std::string& method, const std::string& path) {
  json::Object members{{"do", "plan"}, {"fault", fault}, {"count", count}, {"path", path}};
  if (!method.empty()) members.emplace_back("method", method);
  command(members);
}

void TestServer::chance(double of) { command({{"do", "chance"}, {"of", of}}); }
void TestServer::limit(int bytes, bool page) { command({{"do", "limit"}, {"bytes", bytes}, {"page", page}}); }
void TestServer::pace(int bytes, const std::string& fault) {
  command({{"do", "pace"}, {"bytes", bytes}, {"fault", fault}});
}
void TestServer::reset() { command({{"do", "reset"}}); }
void TestServer::kill() { command({{"do", "kill"}}); }

std::vector<Seen> TestServer::seen() {
  const auto answer = command({{"do", "seen"}});
  std::vector<Seen> all;
  for (const auto& each : *answer.find("seen")->list()) {
    all.push_back({each.text_of("method"), each.text_of("path"), each.text_of("digest"), each.text_of("fault"), 0, 0,
                   *each.find("headers")});
    if (const auto* at = each.find("at")) all.back().at_ms = at->real().value_or(0);
    if (const auto* bytes = each.find("bytes")) all.back().bytes = bytes->natural().value_or(0);
  }
  return all;
}

std::vector<Seen> TestServer::seen(const std::string& method, const std::string& path) {
  std::vector<Seen> some;
  for (auto& each : seen()) {
    if (each.method == method && each.path.find(path) != std::string::npos) some.push_back(std::move(each));
  }
  return some;
}

HttpOptions quick(const std::string& url) {
  using std::chrono::milliseconds;
  HttpOptions options;
  options.url = url;
  options.flush.interval = milliseconds(20);
  options.retry.base = milliseconds(2);
  options.retry.cap = milliseconds(20);
  options.retry.limit = milliseconds(20'000);
  options.retry.timeout = milliseconds(20'000);
  return options;
}

RunMeta small_meta(const std::string& name) {
  static std::atomic<int> made{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  RunMeta meta;
  meta.rid = name + '-' + std::to_string(now) + '-' + std::to_string(made++);
  meta.variables = {{"x"}, {"v", DType::float64, {3}}};
  meta.sample_stats = {{"lp"}};
  return meta;
}

void append_small(Chain& chain, int i, int c) {
  const double x = i;
  const std::vector<double> v{x, static_cast<double>(c), -0.0};
  chain.append({{"x", x}, {"v", v}}, {{"lp", -x}});
}

void expect_small(Chain& chain, int count, int c) {
  const auto x = chain.get_draws("x").to_vector<double>();
  const auto v = chain.get_draws("v").to_vector<double>();
  const auto lp = chain.get_stats("lp").to_vector<double>();
  ASSERT_EQ(x.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ(x[at], i);
    ASSERT_EQ(v[3 * at], i);
    ASSERT_EQ(v[3 * at + 1], c);
    ASSERT_TRUE(std::signbit(v[3 * at + 2]));
    ASSERT_EQ(lp[at], -i);
  }
}

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "an Error was expected";
  return {"none", ""};
}

}  // namespace mcbackend::test
