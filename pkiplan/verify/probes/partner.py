"""A server of the site to try clients against: a sound one, so that no fault of a server is told of its clients."""

from __future__ import annotations

from functools import partial

from pkiplan.errors import PkiplanError
from pkiplan.model.resource import Resource
from pkiplan.verify.credentials import NotRunError, Subject, UnusableError
from pkiplan.verify.probes.server import server_setup
from pkiplan.verify.purposes import host_names
from pkiplan.verify.session import Session
from pkiplan.verify.stacks.base import VERSIONS

# Servers under one root are alike; when the first few are not sound, the stand-in does as well.
_MOST_TRIED = 4


def sound_server(session: Session, client: Subject) -> Subject | None:
    """Find a server under the client's root that other clients reach, and that is not the client itself."""
    root = session.root_address(client.resource)
    for resource in session.servers_by_root.get(root, ())[:_MOST_TRIED]:
        if resource.address == client.address:
            continue
        found = session.once.get(("partner", resource.address), partial(_if_sound, session, resource))
        if found is not None:
            return found
    return None


def _if_sound(session: Session, resource: Resource) -> Subject | None:
    try:
        server = session.subject(resource)
        host = host_names(resource)[0]
        setups = [server_setup(session, server, host=host, version=version, strict=True) for version in VERSIONS]
    except (PkiplanError, UnusableError, NotRunError):
        return None  # its own checks say so
    stack = session.stacks[0]
    for setup in setups:
        if stack.cannot(setup) is not None or not stack.handshake(setup).accepted:
            return None
    return server
