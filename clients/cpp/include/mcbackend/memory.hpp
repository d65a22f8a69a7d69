/// @file
/// A backend that keeps everything in this process: for tests, and for programs that read their draws themselves.
#pragma once

#include <memory>

#include "interfaces.hpp"

namespace mcbackend {

/// An empty backend. Everything in it goes with the last of its handles.
std::shared_ptr<Backend> memory_backend();

}  // namespace mcbackend
