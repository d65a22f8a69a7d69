# Tests against a server, which each program starts once for all of its tests: a program is one test of CTest.
add_library(mcbackend_test_server OBJECT support/test_server.cpp)
target_include_directories(mcbackend_test_server PRIVATE ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(mcbackend_test_server PRIVATE
  MCBACKEND_CHECKOUT="${PROJECT_SOURCE_DIR}/../.."
  MCBACKEND_TESTS="${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(mcbackend_test_server PRIVATE mcbackend mcbackend_warnings GTest::gtest)

function(mcbackend_server_test name)
  add_executable(${name} ${ARGN} $<TARGET_OBJECTS:mcbackend_test_server>)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE mcbackend mcbackend_warnings CURL::libcurl GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS server)
endfunction()

mcbackend_server_test(http_roundtrip_test http_roundtrip_test.cpp)
mcbackend_server_test(http_runs_test http_runs_test.cpp)
mcbackend_server_test(http_failure_test http_failure_test.cpp)
mcbackend_server_test(http_memory_test http_memory_test.cpp)
mcbackend_server_test(http_security_test http_security_test.cpp)
mcbackend_server_test(http_sizes_test http_sizes_test.cpp)
mcbackend_server_test(faults_test faults_test.cpp)
mcbackend_test(http_units_test http_units_test.cpp)
target_link_libraries(http_units_test PRIVATE CURL::libcurl)
