// A server for tests, and what stands before it (server.mjs), as a process that ends with the test.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mcbackend/http.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "json.hpp"

namespace mcbackend::test {

/// A request that has come to the proxy.
struct Seen {
  std::string method, path, digest, fault;
  double at_ms = 0;
  std::uint64_t bytes = 0;
  json::Value headers;
  /// Value of a header, by its name in lower case.
  std::string header(const char* name) const { return headers.text_of(name); }
};

class TestServer {
 public:
  /// @param options those of server.mjs. @throws std::runtime_error when it does not start
  explicit TestServer(const std::vector<std::string>& options = {});
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer();

  /// The reason for which no server can be started here; empty when one can.
  static std::string impossible();
  /// One without keys for all tests of a program, its faults reset.
  static TestServer& shared();
  /// Members of its first line: "server", "proxy", "tls" …
  std::string place(const char* name) const { return places_.text_of(name); }

  /// The next `count` requests of this kind fail so.
  void plan(const std::string& fault, int count = 1, const std::string& method = "", const std::string& path = "");
  void chance(double of);
  /// Bodies of more bytes are refused from now on. @param page without a code, as a proxy does it
  void limit(int bytes, bool page = false);
  /// Bodies of more bytes are not read to their end from now on. @param fault "clogged" without an answer, "late" by
  /// 408
  void pace(int bytes, const std::string& fault);
  void reset();
  std::vector<Seen> seen();
  /// Those with this method whose path has `path`.
  std::vector<Seen> seen(const std::string& method, const std::string& path);
  /// Kills the server and starts it again on the same folder and port.
  void kill();

 private:
  json::Value command(const json::Object& members);
  std::string read_line();

  pid_t pid_ = -1;
  int input_ = -1, output_ = -1;
  std::string read_;
  json::Value places_;
  std::mutex mutex_;
};

/// Options for tests: through the proxy, and with short pauses.
HttpOptions quick(const std::string& url);

/// A run of its own with scalars x and vectors v of three, and the stat lp.
RunMeta small_meta(const std::string& name);

/// Draw i of chain c of such a run.
void append_small(Chain& chain, int i, int c = 0);

/// Checks all draws of such a chain, from 0 to count − 1.
void expect_small(Chain& chain, int count, int c = 0);

/// The Error that a call throws. Fails the test when it throws none.
Error error_of(const std::function<void()>& call);

}  // namespace mcbackend::test

/// Skips a test, and says why, where no server can be started.
#define MCB_NEEDS_SERVER() \
  if (const auto why = ::mcbackend::test::TestServer::impossible(); !why.empty()) GTEST_SKIP() << why
