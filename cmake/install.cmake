# What `cmake --install` leaves behind: headers, library, CMake package, pkg-config file.
include(CMakePackageConfigHelpers)

set(pirn_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/pirn")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(TARGETS pirn EXPORT pirnTargets)
install(EXPORT pirnTargets NAMESPACE pirn:: DESTINATION "${pirn_package_dir}")

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/pirnConfig.cmake.in" "${PROJECT_BINARY_DIR}/cmake/pirnConfig.cmake"
  INSTALL_DESTINATION "${pirn_package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/pirnConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cmake/pirnConfig.cmake" "${PROJECT_BINARY_DIR}/cmake/pirnConfigVersion.cmake"
  DESTINATION "${pirn_package_dir}")

# The prefix is told relative to the file, so that an installed tree may be moved.
set(pc_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_prefix "${pc_dir}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH pc_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
string(JOIN " " pc_sanitize_flags ${sanitize_flags})
configure_file("${CMAKE_CURRENT_LIST_DIR}/pirn.pc.in" "${PROJECT_BINARY_DIR}/cmake/pirn.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/pirn.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
