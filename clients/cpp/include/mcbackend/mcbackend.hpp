/// @file
/// The whole library but the writer for Stan, which needs Stan's own headers (stan.hpp).
#pragma once

#include "http.hpp"        // IWYU pragma: export
#include "interfaces.hpp"  // IWYU pragma: export
#include "memory.hpp"      // IWYU pragma: export
#include "meta.hpp"        // IWYU pragma: export
#include "types.hpp"       // IWYU pragma: export
