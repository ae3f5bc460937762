"""Whom to trust on https."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from fanwise.errors import ConfigError


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A verifying client context for HTTP/1.1.

    Trusted are the system's authorities, or those of ``SSL_CERT_FILE`` in the environment in their
    place, and those of ``ca_file`` besides.

    Raises:
        ConfigError: Where ``ca_file`` or ``SSL_CERT_FILE`` is no file, or holds no certificate.
    """
    named = os.environ.get("SSL_CERT_FILE")
    if named and not Path(named).is_file():
        # OpenSSL passes over it in silence, and then trusts nobody.
        raise ConfigError(f"SSL_CERT_FILE names {named}, which is no file", hint="mend or unset it")
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"no certificate authority can be read from {ca_file}: {error}",
                hint="it has to be a PEM file with at least one certificate",
            ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context
