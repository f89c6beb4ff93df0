# embed - builds the page of demo/ with npm and puts it into the library sk_demo, as the table
# demo_assets (src/gate/demo_assets.h). Only the program needs it: the layers and the unit tests are
# built without Node.js.
#
# Three steps, each run again only when what it reads has changed:
#   packages  npm ci in demo/, when package-lock.json changed (shared by all build directories)
#   page      npm run build, into the build directory
#   table     tools/embed.mjs, and one small C file that takes the bytes in
#
# -DSKEIN_DEMO=OFF makes a server without the page, and needs no Node.js at all.

option(SKEIN_DEMO "Put the page of demo/ into the program (needs Node.js 18 or newer, and npm)" ON)

set(demo_dir ${CMAKE_SOURCE_DIR}/demo)
set(demo_out ${CMAKE_BINARY_DIR}/demo)

if(NOT SKEIN_DEMO)
  file(CONFIGURE OUTPUT ${demo_out}/demo_assets.c
       CONTENT "#include \"gate/demo_assets.h\"\n\nconst struct asset_table demo_assets = {NULL, 0};\n")
else()
  find_program(SKEIN_NPM npm)
  find_program(SKEIN_NODE NAMES node nodejs)
  find_program(SKEIN_FLOCK flock REQUIRED) # of util-linux

  file(GLOB_RECURSE demo_sources CONFIGURE_DEPENDS ${demo_dir}/src/* ${demo_dir}/public/*)
  list(APPEND demo_sources ${demo_dir}/index.html ${demo_dir}/package.json ${demo_dir}/tsconfig.json
       ${demo_dir}/vite.config.js)

  if(SKEIN_NPM AND SKEIN_NODE)
    # Several build directories may come here at the same time, and there is one node_modules.
    set(packages ${demo_dir}/node_modules/.package-lock.json)
    add_custom_command(
      OUTPUT ${packages}
      DEPENDS ${demo_dir}/package.json ${demo_dir}/package-lock.json ${demo_dir}/.npmrc
      COMMAND ${SKEIN_FLOCK} ${demo_dir}/package-lock.json ${CMAKE_COMMAND}
              -DNPM=${SKEIN_NPM} -DDIR=${demo_dir} -DSTAMP=${packages}
              -P ${CMAKE_SOURCE_DIR}/cmake/npm_ci.cmake
      COMMENT "Installing what the page is built with (npm ci in demo/)"
      VERBATIM)
    add_custom_command(
      OUTPUT ${demo_out}/demo_assets.c
      DEPENDS ${packages} ${demo_sources} ${CMAKE_SOURCE_DIR}/tools/embed.mjs
      COMMAND ${SKEIN_NPM} --silent run build -- --logLevel warn --emptyOutDir --outDir
              ${demo_out}/dist
      COMMAND ${SKEIN_NODE} ${CMAKE_SOURCE_DIR}/tools/embed.mjs ${demo_out}/dist demo_assets
              gate/demo_assets.h ${demo_out}/demo_assets.c
      WORKING_DIRECTORY ${demo_dir}
      COMMENT "Building the page (demo/)"
      VERBATIM)
  else()
    message(WARNING "npm was not found. The tests can be built, but not the skein program: its page is "
                    "built with Node.js (18 or newer) and npm. On Debian: apt install nodejs npm. "
                    "Or configure with -DSKEIN_DEMO=OFF for a server without the page.")
    add_custom_command(
      OUTPUT ${demo_out}/demo_assets.c
      COMMAND ${CMAKE_COMMAND} -E echo "The page of the server is built with Node.js (18 or newer) and npm,"
      COMMAND ${CMAKE_COMMAND} -E echo "which were not found. On Debian: apt install nodejs npm"
      COMMAND ${CMAKE_COMMAND} -E echo "Then configure again, or with -DSKEIN_DEMO=OFF for a server without it."
      COMMAND ${CMAKE_COMMAND} -E false
      VERBATIM)
  endif()
endif()

add_library(sk_demo STATIC ${demo_out}/demo_assets.c)
target_include_directories(sk_demo PRIVATE ${CMAKE_SOURCE_DIR}/src)
