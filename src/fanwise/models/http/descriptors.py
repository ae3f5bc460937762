"""Room for connections: every one takes a file descriptor, and systems hand out few by default."""

from __future__ import annotations

import math
import sys

if sys.platform != "win32":
    import resource

    def allow_descriptors(wanted: int) -> float:
        """Raises this process's limit of open files to ``wanted``, as far as the system lets it.

        For programs, not for libraries: the limit belongs to the process. It is never lowered.

        Args:
            wanted: Descriptors needed: one a connection, and some dozens for everything else.

        Returns:
            The limit now in force; less than ``wanted`` where the system allows no more.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = resource.RLIM_INFINITY
        if soft != unlimited and soft < wanted:
            soft = wanted if hard == unlimited else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return math.inf if soft == unlimited else soft

else:

    def allow_descriptors(wanted: int) -> float:  # noqa: ARG001  (the same face everywhere)
        """Windows sets no such limit for sockets."""
        return math.inf
