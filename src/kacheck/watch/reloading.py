"""The configuration, read once more by a watcher that runs with another one."""

from kacheck import config
from kacheck.check import CheckConfiguration
from kacheck.looks import preload
from kacheck.result import BadConfigError, bug
from kacheck.watch.metrics import require


def load_again(path: str, *, may_be_empty: bool) -> CheckConfiguration:
    """Return the configuration as it is now.

    Raises:
        BadConfigError: it is bad, or has no check, which is not taken for a wish to end all;
            KacheckError: it needs what is not installed.

    """
    try:
        configuration = config.load(path)
    except BadConfigError:
        raise
    except Exception as error:
        raise BadConfigError(f"{path}: {bug(error).message}") from error
    require(configuration.metrics)
    if not (may_be_empty or configuration.checks):
        cure = "add one below a header [check.NAME], or stop the watcher"
        raise BadConfigError(f"{path} has no check; {cure}")
    preload(check.question for check in configuration.checks)
    return configuration
