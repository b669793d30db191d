"""The environment variables that programs and builds get."""

import os

_KEPT = {
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
"""They name user and place, say where tools are, and how they reach the network."""
_OURS = {"PYTHONNOUSERSITE": "1", "CARGO_ENCODED_RUSTFLAGS": ""}
"""They keep out what else a user has: own packages, flags in Cargo's configuration."""
_FOR_CARGO = ("CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR")


def variables() -> dict[str, str]:
    """Return those of our environment variables that programs and builds get.

    With many that a user's shell has, an interpreter, a loader or a compiler does something else; even their
    size changes a program's speed (Mytkowicz et al., ASPLOS 2009).
    """
    kept = {name: text for name, text in os.environ.items() if name in _KEPT or name.startswith(_FOR_CARGO)}
    return kept | _OURS
