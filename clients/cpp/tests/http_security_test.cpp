// Keys, TLS, proxies: the right server is asked in the right way, and no secret is told.
#include <curl/curl.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "support/test_server.hpp"

namespace {

/// Folder of the authorities that this system trusts; empty for the one of libcurl.
std::string system_folder;  // NOLINT(cert-err58-cpp)

}  // namespace

/// libcurl's own, and then the folder as if libcurl had been built for this system.
extern "C" void curl_easy_reset(CURL* easy) {
  using Reset = void (*)(CURL*);
  static const auto reset = reinterpret_cast<Reset>(::dlsym(RTLD_NEXT, "curl_easy_reset"));
  reset(easy);
  if (!system_folder.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, system_folder.c_str());
}

namespace mcbackend::test {
namespace {

TEST(Keys, AreSentAndNotTold) {
  MCB_NEEDS_SERVER();
  if (std::getenv("MCB_URL") != nullptr)
    GTEST_SKIP() << "the server of MCB_URL has no operator's token that is known here";
  TestServer server({"--keys"});
  auto options = quick(server.place("proxy"));
  std::string told;
  options.log = [&](const std::string& text) { told += text; };
  const auto meta = small_meta("keys");
  EXPECT_EQ(error_of([&] { http_backend(options)->init_run(meta); }).code(), "unauthorized");
  options.token = "mcb_wrong";
  const auto error = error_of([&] { http_backend(options)->init_run(meta); });
  EXPECT_EQ(error.code(), "unauthorized");
  EXPECT_EQ(error.status(), 401);
  EXPECT_EQ(std::string(error.what()).find("mcb_wrong"), std::string::npos);
  options.token = server.place("key");
  server.plan("cut", 1, "POST");
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  append_small(*chain, 0);
  expect_small(*chain, 1);
  EXPECT_NE(told, "");
  EXPECT_EQ(told.find(options.token), std::string::npos);
  for (const auto& post : server.seen("POST", "/draws")) {
    EXPECT_EQ(post.header("authorization"), "Bearer " + options.token);
    EXPECT_EQ(post.header("user-agent").rfind("mcbackend-cpp/", 0), 0U);
  }
}

TEST(Tls, OnlyTheRightAuthority) {
  MCB_NEEDS_SERVER();
  TestServer server({"--tls"});
  auto options = quick(server.place("tls"));
  const auto meta = small_meta("tls");
  const auto error = error_of([&] { http_backend(options)->init_run(meta); });
  EXPECT_EQ(error.code(), "transport");
  EXPECT_TRUE(server.seen().empty());  // at once, and without a request
  options.tls.ca_file = server.place("ca");
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  server.plan("lost", 1, "POST");
  for (int i = 0; i < 1000; ++i) append_small(*chain, i);
  expect_small(*chain, 1000);
  options.tls = {};
  options.tls.verify = false;
  EXPECT_NE(http_backend(options)->get_run(meta.rid), nullptr);
}

TEST(Tls, AFileStandsInsteadOfTheSystemsFolder) {
  MCB_NEEDS_SERVER();
  TestServer server({"--tls"});
  auto options = quick(server.place("tls"));
  system_folder = server.place("authorities");
  const auto meta = small_meta("folder");
  EXPECT_TRUE(http_backend(options)->init_run(meta)->is_new());  // the folder is believed by itself
  options.tls.ca_file = server.place("certificate");             // one that has signed nothing
  const auto error = error_of([&] { http_backend(options)->get_run(meta.rid); });
  system_folder.clear();
  EXPECT_EQ(error.code(), "transport");
  EXPECT_EQ(server.seen().size(), 1U);
}

TEST(Tls, CertificatesOfClients) {
  MCB_NEEDS_SERVER();
  TestServer server({"--tls", "--client-certificate"});
  auto options = quick(server.place("tls"));
  options.tls.ca_file = server.place("ca");
  const auto meta = small_meta("client");
  options.retry.limit = std::chrono::milliseconds(0);
  EXPECT_EQ(error_of([&] { http_backend(options)->init_run(meta); }).code(), "transport");
  options.tls.client_certificate = server.place("certificate");
  options.tls.client_key = server.place("privateKey");
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  append_small(*chain, 0);
  expect_small(*chain, 1);
}

TEST(Proxy, WithNameAndPassword) {
  MCB_NEEDS_SERVER();
  TestServer server({"--forward"});
  auto options = quick(server.place("server"));
  options.proxy.url = server.place("forward");
  options.retry.limit = std::chrono::milliseconds(0);
  const auto meta = small_meta("proxy");
  EXPECT_EQ(error_of([&] { http_backend(options)->init_run(meta); }).status(), 407);
  options.proxy.credentials = server.place("credentials");
  const auto chain = http_backend(options)->init_run(meta)->init_chain(0);
  append_small(*chain, 0);
  expect_small(*chain, 1);
  const auto forwarded = server.seen().size();
  EXPECT_GE(forwarded, 6U);
  options.proxy.no_proxy = "127.0.0.1";
  EXPECT_NE(http_backend(options)->get_run(meta.rid), nullptr);
  EXPECT_EQ(server.seen().size(), forwarded);
}

}  // namespace
}  // namespace mcbackend::test
