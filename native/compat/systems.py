"""The two systems that are compared: an ensemble of Zebu's servers, and one of Apache's, from the same zoo.cfg.

Apache's class path is in the environment variable APACHE_CLASS_PATH, Zebu's program in ZEBU.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/kazoo"))

from ensemble import Ensemble, Server, wait_for  # noqa: E402

# Keys that one of the two does not know have no effect there.
SETTINGS = {
    "4lw.commands.whitelist": "*",
    "admin.enableServer": "false",
    "extendedTypesEnabled": "true",
    # The digest id of super:test.
    "DigestAuthenticationProvider.superDigest": "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
}
ROLES = ("leader", "follower", "observer")


class ApacheServer(Server):
    """Apache's server, started as its own script does, with a small heap."""

    def command(self):
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return ["java", "-Xmx128m", "-cp", os.environ["APACHE_CLASS_PATH"], main, str(self.config)]


class Apache(Ensemble):
    server_class = ApacheServer


SYSTEMS = {"apache": Apache, "zebu": Ensemble}


def start(system):
    """Two voters and an observer, all serving."""
    ensemble = SYSTEMS[system](system, size=3, observers=1, **SETTINGS)
    try:
        return ensemble.start()
    except BaseException:
        print(ensemble.tails(), file=sys.stderr)
        ensemble.close()
        raise


def server_with(ensemble, role):
    """The one server of this role."""

    def found():
        return next((server for server in ensemble.servers.values() if server.mode() == role), None)

    return wait_for(f"no {role}", found)
