// Options of the HTTP backend, checked once, before anything is sent.
#pragma once

#include <chrono>
#include <mcbackend/http.hpp>

namespace mcbackend::http {

/// The options with the address in the form that paths are added to. @throws Error invalid_parameter
HttpOptions checked(HttpOptions options);

/// Milliseconds as libcurl takes them: at least 1, since 0 is its word for "no limit".
long to_curl(std::chrono::milliseconds time) noexcept;

}  // namespace mcbackend::http
