# npm_ci - "npm ci" in DIR unless somebody else has just done it, while this waited for the lock.
# STAMP is a file that npm writes last and that is newer than the lock file when all is installed.

if(EXISTS ${STAMP} AND NOT ${DIR}/package-lock.json IS_NEWER_THAN ${STAMP}
   AND NOT ${DIR}/package.json IS_NEWER_THAN ${STAMP} AND NOT ${DIR}/.npmrc IS_NEWER_THAN ${STAMP})
  return()
endif()

execute_process(COMMAND ${NPM} ci --no-audit --no-fund --loglevel error WORKING_DIRECTORY ${DIR}
                RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "npm ci failed in ${DIR}. It fetches what package-lock.json names from npm's "
                      "registry: is the network, or the registry that npm is configured for, in reach?")
endif()
file(TOUCH ${STAMP})
