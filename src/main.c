#include "cli/cli.h"
#include "gate/demo_assets.h"

int main(int argc, char **argv, char **envp)
{
    const struct cli_host host = {.envp = envp, .assets = &demo_assets};

    return cli_run(argc, argv, &host);
}
