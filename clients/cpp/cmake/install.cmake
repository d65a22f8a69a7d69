# Installs library, headers and the package that find_package(mcbackend) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mcbackend)
install(TARGETS mcbackend EXPORT mcbackend
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/mcbackend DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT mcbackend NAMESPACE mcbackend:: FILE mcbackend-targets.cmake DESTINATION ${package_folder})
configure_package_config_file(cmake/mcbackend-config.cmake.in mcbackend-config.cmake INSTALL_DESTINATION ${package_folder})
# Before 1.0 a minor version may change what is public.
write_basic_package_version_file(mcbackend-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/mcbackend-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/mcbackend-config-version.cmake
  DESTINATION ${package_folder})
